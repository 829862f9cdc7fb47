//! Cedar, native: policies parsed once, every request authorized against all of
//! them. Lines on standard input ask; see ../README.md.

use std::io::{BufRead, Write};
use std::str::FromStr;
use std::time::Instant;

use cedar_policy::{
    Authorizer, Context, Decision, Entities, EntityId, EntityTypeName, EntityUid, PolicySet,
    Request, RestrictedExpression,
};
use serde_json::Value;

type Failure = Box<dyn std::error::Error>;

/// How policies are written: exact principals and resources in their scope, or
/// the patterns of the policy documents in their conditions.
#[derive(Clone, Copy, PartialEq)]
enum Style {
    Keys,
    Globs,
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or("")
}

fn list<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    value[name].as_array().map_or(&[], Vec::as_slice)
}

// ---- Policies ---------------------------------------------------------------

fn ranges(rule: &Value) -> Option<String> {
    let tests: Vec<String> = list(rule, "ranges")
        .iter()
        .map(|range| format!("context.ip.isInRange(ip({range}))"))
        .collect();
    (!tests.is_empty()).then(|| format!("({})", tests.join(" || ")))
}

fn scope(rule: &Value) -> String {
    match rule["principal"].as_str() {
        Some(principal) => format!("principal == User::{principal:?}"),
        None => "principal".to_string(),
    }
}

fn policy(principal: &str, resource: &str, conditions: &[String]) -> String {
    let when = match conditions {
        [] => String::new(),
        _ => format!(" when {{ {} }}", conditions.join(" && ")),
    };
    format!("permit({principal}, action == Action::\"Invoke\", {resource}){when};\n")
}

/// A policy for each resource, which stands in the scope: whole, or as its API
/// with the other parts in the condition.
fn keys(rule: &Value, out: &mut String) {
    for resource in list(rule, "resources") {
        let mut conditions = Vec::new();
        let entity = if resource["path"].is_string() {
            format!("resource == Route::{:?}", text(resource, "pattern"))
        } else {
            for part in ["stage", "method"] {
                if resource[part].is_string() {
                    conditions.push(format!("context.{part} == {:?}", text(resource, part)));
                }
            }
            format!("resource == Api::{:?}", text(resource, "api"))
        };
        conditions.extend(ranges(rule));
        out.push_str(&policy(&scope(rule), &entity, &conditions));
    }
}

fn globs(rule: &Value, out: &mut String) {
    let tests: Vec<String> = list(rule, "resources")
        .iter()
        .map(|resource| format!("context.resource like {:?}", text(resource, "pattern")))
        .collect();
    let mut conditions = vec![format!("({})", tests.join(" || "))];
    conditions.extend(ranges(rule));
    out.push_str(&policy(&scope(rule), "resource", &conditions));
}

// ---- Requests ---------------------------------------------------------------

/// What the policies of a workload ask for; a request holds that and no more.
#[derive(Default)]
struct Asked {
    whole: bool,
    stage: bool,
    method: bool,
    ip: bool,
}

struct Call {
    principal: String,
    resource: String,
    api: String,
    stage: String,
    method: String,
    ip: String,
}

struct Types {
    user: EntityTypeName,
    route: EntityTypeName,
    api: EntityTypeName,
    action: EntityUid,
}

struct Loaded {
    style: Style,
    asked: Asked,
    types: Types,
    calls: Vec<Call>,
    prepared: Vec<Request>,
    policies: PolicySet,
    entities: Entities,
    authorizer: Authorizer,
}

impl Loaded {
    fn request(&self, call: &Call) -> Result<Request, Failure> {
        let mut pairs = Vec::new();
        let mut put = |name: &str, value: RestrictedExpression| pairs.push((name.to_string(), value));
        if self.style == Style::Globs {
            put("resource", RestrictedExpression::new_string(call.resource.clone()));
        } else {
            if self.asked.stage {
                put("stage", RestrictedExpression::new_string(call.stage.clone()));
            }
            if self.asked.method {
                put("method", RestrictedExpression::new_string(call.method.clone()));
            }
        }
        if self.asked.ip {
            put("ip", RestrictedExpression::new_ip(&call.ip));
        }
        let (kind, id) = if self.style == Style::Globs || self.asked.whole {
            (&self.types.route, &call.resource)
        } else {
            (&self.types.api, &call.api)
        };
        Ok(Request::new(
            EntityUid::from_type_name_and_id(self.types.user.clone(), EntityId::new(&call.principal)),
            self.types.action.clone(),
            EntityUid::from_type_name_and_id(kind.clone(), EntityId::new(id)),
            Context::from_pairs(pairs)?,
            None,
        )?)
    }

    fn authorize(&self, request: &Request) -> Result<bool, Failure> {
        let answer = self.authorizer.is_authorized(request, &self.policies, &self.entities);
        if let Some(error) = answer.diagnostics().errors().next() {
            return Err(error.to_string().into());
        }
        Ok(answer.decision() == Decision::Allow)
    }

    fn decide(&self, form: &str, number: usize) -> Result<bool, Failure> {
        match form {
            "texts" => self.authorize(&self.request(&self.calls[number])?),
            _ => self.authorize(&self.prepared[number]),
        }
    }
}

fn load(path: &str, style: Style) -> Result<Loaded, Failure> {
    let workload: Value = serde_json::from_slice(&std::fs::read(path)?)?;
    let mut source = String::new();
    let mut asked = Asked::default();
    for rule in list(&workload, "rules") {
        match style {
            Style::Keys => keys(rule, &mut source),
            Style::Globs => globs(rule, &mut source),
        }
        asked.ip |= !list(rule, "ranges").is_empty();
        for resource in list(rule, "resources") {
            asked.whole |= resource["path"].is_string();
            asked.stage |= resource["stage"].is_string() && !resource["path"].is_string();
            asked.method |= resource["method"].is_string() && !resource["path"].is_string();
        }
    }
    let calls = list(&workload, "requests")
        .iter()
        .map(|request| Call {
            principal: text(request, "principal").to_string(),
            resource: text(request, "resource").to_string(),
            api: text(request, "api").to_string(),
            stage: text(request, "stage").to_string(),
            method: text(request, "method").to_string(),
            ip: text(request, "ip").to_string(),
        })
        .collect();
    let mut loaded = Loaded {
        style,
        asked,
        types: Types {
            user: EntityTypeName::from_str("User")?,
            route: EntityTypeName::from_str("Route")?,
            api: EntityTypeName::from_str("Api")?,
            action: EntityUid::from_str("Action::\"Invoke\"")?,
        },
        calls,
        prepared: Vec::new(),
        policies: PolicySet::from_str(&source)?,
        entities: Entities::empty(),
        authorizer: Authorizer::new(),
    };
    let prepared: Result<Vec<Request>, Failure> =
        loaded.calls.iter().map(|call| loaded.request(call)).collect();
    loaded.prepared = prepared?;
    Ok(loaded)
}

// ---- Lines ------------------------------------------------------------------

/// Nanoseconds of processor time this process has had.
fn cpu() -> i64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &mut time) };
    time.tv_sec * 1_000_000_000 + time.tv_nsec
}

fn answers(loaded: &Loaded, form: &str) -> Result<String, Failure> {
    let mut bits = String::new();
    for number in 0..loaded.calls.len() {
        bits.push(if loaded.decide(form, number)? { '1' } else { '0' });
    }
    Ok(format!("answers {bits}"))
}

fn round(loaded: &Loaded, form: &str, count: usize) -> Result<String, Failure> {
    let requests = loaded.calls.len();
    let mut allowed = 0;
    let (spent, start) = (cpu(), Instant::now());
    for number in 0..count {
        allowed += usize::from(loaded.decide(form, number % requests)?);
    }
    let wall = start.elapsed().as_nanos();
    Ok(format!("round {} {} {}", cpu() - spent, wall, allowed))
}

fn answer(words: &[&str], style: Style, loaded: &mut Option<Loaded>) -> Result<String, Failure> {
    match (words, &loaded) {
        (["load", path], _) => {
            *loaded = None;
            *loaded = Some(load(path, style)?);
            Ok("ok".to_string())
        }
        (["answers", form], Some(loaded)) => answers(loaded, form),
        (["round", form, count], Some(loaded)) => round(loaded, form, count.parse()?),
        _ => Err(format!("cannot do {words:?}").into()),
    }
}

fn main() -> Result<(), Failure> {
    let style = match std::env::args().nth(1).as_deref() {
        Some("globs") => Style::Globs,
        _ => Style::Keys,
    };
    println!(
        "hello {{\"engine\":\"Cedar\",\"version\":\"{}\",\"runtime\":\"{}\"}}",
        env!("CEDAR_VERSION"),
        env!("RUSTC_VERSION")
    );
    let mut loaded = None;
    for line in std::io::stdin().lock().lines() {
        let line = line?;
        let words: Vec<&str> = line.split_whitespace().collect();
        match answer(&words, style, &mut loaded) {
            Ok(said) => println!("{said}"),
            Err(error) => println!("error {}", error.to_string().replace('\n', " ")),
        }
        std::io::stdout().flush()?;
    }
    Ok(())
}
