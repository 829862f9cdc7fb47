--- Random numbers that are the same in every run, on every machine.
--
-- Dependencies: none.

local _M = {}


--- @return a function: count to a whole number from 1 to count
function _M.new(seed)
    local state = seed % 2147483646 + 1
    return function(count)
        state = state * 48271 % 2147483647
        return state % count + 1
    end
end


return _M
