--- Reading the plain C declarations that the header and the Lua side share.

local _M = {}


--- The part of the header that LuaJIT reads.
-- @tparam string header
-- @treturn string|nil nil when its marks are missing
function _M.plain_part(header)
    return header:match("/%* ffi:begin.-%*/(.*)/%* ffi:end %*/")
end


--- Declarations without comments and without the white space that means nothing: equal texts
-- declare the same.
-- @tparam string text
-- @treturn string
function _M.normalise(text)
    text = text:gsub("/%*.-%*/", " "):gsub("%s+", " "):gsub("^ ", ""):gsub(" $", "")
    return (text:gsub(" ?([{}()%[%],;=*]) ?", "%1"))
end


--- The same, cut at each semicolon, so that a comparison can point at one piece.
-- @tparam string text
-- @treturn {string,...}
function _M.pieces(text)
    local pieces = {}
    for piece in _M.normalise(text):gmatch("[^;]*;?") do
        pieces[#pieces + 1] = piece
    end
    return pieces
end


-- The name one declarator declares: `*text`, `message[N]`, `*(*resize)(void *user)`.
local function declared_name(declarator)
    return declarator:match("%(%*([%w_]+)%)") or declarator:match("([%w_]+)%s*%[") or
        declarator:match("([%w_]+)%s*$")
end


--- The structs with their fields, in order: `{ name = "postern_span", fields = { "text", … } }`.
-- @tparam string text
-- @treturn {table,...}
function _M.structs(text)
    local structs = {}
    text = _M.normalise(text)
    for name, body in text:gmatch("typedef struct ([%w_]+)(%b{})") do
        local fields = {}
        for declaration in body:sub(2, -2):gmatch("[^;]+") do
            if declaration:find("(", 1, true) then
                fields[#fields + 1] = declared_name(declaration)
            else
                for declarator in declaration:gmatch("[^,]+") do
                    fields[#fields + 1] = declared_name(declarator)
                end
            end
        end
        structs[#structs + 1] = { name = name, fields = fields }
    end
    return structs
end


--- The names of the functions declared.
-- @tparam string text
-- @treturn {string,...}
function _M.functions(text)
    local names = {}
    -- Bodies of structs hold pointers to functions, which are no functions.
    for name in _M.normalise(text):gsub("%b{}", " "):gmatch("(postern_[%w_]+)%b();") do
        names[#names + 1] = name
    end
    return names
end


return _M
