-- For LuaRocks, of a checkout: `luarocks make`. CMake builds the core; the version is the one that
-- core/include/postern.h states.
package = "postern"
version = "scm-1"
source = { url = "." }
description = {
    summary = "Decides requests with AWS policy documents: a C core and LuaJIT",
    detailed = "For nginx (resty.postern), for APISIX and Kong, for libuv and for the command line.",
    license = "Apache-2.0",
}
supported_platforms = { "linux" }
dependencies = {
    "lua == 5.1", -- LuaJIT, which calls itself so
    "argparse", "dkjson", "lua-cjson", "luaossl", "luv",
}
build = {
    type = "command",
    build_command = "cmake -S . -B build-rock && cmake --build build-rock --target libraries",
    install_command = "mkdir -p $(LUADIR) $(LIBDIR) && cp -R lua/postern lua/resty $(LUADIR)"
        .. " && cp -R rules nginx $(LUADIR)/postern"
        .. " && mkdir -p $(LUADIR)/apisix/plugins"
        .. " && cp adapters/apisix/postern.lua $(LUADIR)/apisix/plugins"
        .. " && cp -R adapters/kong/kong $(LUADIR)"
        .. " && cp build-rock/libpostern*.so $(LIBDIR)",
    copy_directories = { "docs" },
}
