/* A way from Lua to postern_entry_decide by Lua's own C interface, for hosts
 * that do not compile Lua. There a call by FFI converts each argument by rules
 * that it looks up, and a decision has 23; here it takes a few nanoseconds each.
 *
 * The module is one function:
 *
 *    bind(decide, entry, handle) -> function(self, principal, action, ...)
 *
 * `decide` and `entry` are addresses as numbers, `handle` what keeps the entry:
 * lua/postern/ffi.lua alone makes them, of the library it has checked. So this
 * file links nothing of the core, and needs no version of its own. */
#include <stdint.h>

#include <lauxlib.h>
#include <lua.h>

#include "postern.h"

typedef int32_t decide_function(postern_entry *entry, const char *principal, size_t, const char *action,
                                size_t, const char *, size_t, const char *, size_t, const char *,
                                size_t, const char *, size_t, const char *, size_t, const char *,
                                size_t, const char *, size_t, const char *, size_t);

/* Held by the function that `bind` makes. */
typedef struct bound {
    decide_function *decide;
    postern_entry *entry;
} bound;

enum {
    SELF = 1,
    PRINCIPAL,
    ACTION,
    PIECES,
    VALUES = PIECES + POSTERN_ENTRY_PIECES,
    LAST = VALUES + POSTERN_ENTRY_VALUES - 1
};

/* A text, or NULL for nil. A number is refused: Lua would make a string of it. */
static const char *text_at(lua_State *lua, int at, size_t *length) {
    *length = 0;
    int type = lua_type(lua, at);
    if (type == LUA_TSTRING) return lua_tolstring(lua, at, length);
    if (type != LUA_TNIL && type != LUA_TNONE) {
        luaL_error(lua, "argument %d is a %s: give a text", at - SELF, lua_typename(lua, type));
    }
    return NULL;
}

static int decide(lua_State *lua) {
    const bound *to = lua_touserdata(lua, lua_upvalueindex(1));
    const char *text[LAST + 1];
    size_t length[LAST + 1];
    for (int i = PRINCIPAL; i <= LAST; i++) text[i] = text_at(lua, i, &length[i]);
    for (int i = ACTION; i <= PIECES; i++) {
        if (text[i] == NULL) return luaL_error(lua, "argument %d is nil: give a text", i - SELF);
    }
    lua_pushinteger(lua, to->decide(to->entry, text[PRINCIPAL], length[PRINCIPAL], text[ACTION],
                                    length[ACTION], text[PIECES], length[PIECES], text[PIECES + 1],
                                    length[PIECES + 1], text[PIECES + 2], length[PIECES + 2],
                                    text[PIECES + 3], length[PIECES + 3], text[VALUES],
                                    length[VALUES], text[VALUES + 1], length[VALUES + 1],
                                    text[VALUES + 2], length[VALUES + 2], text[VALUES + 3],
                                    length[VALUES + 3]));
    return 1;
}

/* The handle is kept with the function: who keeps that keeps the entry. */
static int bind(lua_State *lua) {
    uintptr_t to = (uintptr_t)luaL_checknumber(lua, 1);
    uintptr_t entry = (uintptr_t)luaL_checknumber(lua, 2);
    luaL_checkany(lua, 3);
    bound *made = lua_newuserdata(lua, sizeof *made);
    made->decide = (decide_function *)to;
    made->entry = (postern_entry *)entry;
    lua_pushvalue(lua, 3);
    lua_pushcclosure(lua, decide, 2);
    return 1;
}

__attribute__((visibility("default"))) int luaopen_postern_bridge(lua_State *lua);

int luaopen_postern_bridge(lua_State *lua) {
    lua_pushcfunction(lua, bind);
    return 1;
}
