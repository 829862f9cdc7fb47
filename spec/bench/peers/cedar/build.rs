//! Tells the program the versions it is made of.

use std::process::Command;

fn main() {
    let lock = std::fs::read_to_string("Cargo.lock").expect("Cargo.lock");
    let version = lock
        .split("name = \"cedar-policy\"\nversion = \"")
        .nth(1)
        .and_then(|rest| rest.split('"').next())
        .expect("cedar-policy in Cargo.lock");
    let rustc = std::env::var("RUSTC").expect("RUSTC");
    let said = Command::new(rustc).arg("--version").output().expect("rustc --version");
    let said = String::from_utf8_lossy(&said.stdout);
    let rustc = said.split_whitespace().take(2).collect::<Vec<_>>().join(" ");
    println!("cargo:rustc-env=CEDAR_VERSION={version}");
    println!("cargo:rustc-env=RUSTC_VERSION={rustc}");
    println!("cargo:rerun-if-changed=Cargo.lock");
}
