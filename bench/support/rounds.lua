-- rounds - what came of rounds that took turns.
--
-- For:   medians.
-- Never: measuring.

local _M = {}

-- The median of a list of numbers, or of one field of a list of tables.
function _M.median(list, field)
    local values = {}
    for i, each in ipairs(list) do
        values[i] = field and each[field] or each
    end
    table.sort(values)
    return values[math.ceil(#values / 2)]
end

return _M
