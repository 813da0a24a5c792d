-- touched - what changed of a Lua VM that belongs to somebody else.
--
-- For:   globals, fields of ngx and of the standard library, loaders and modules, before and after.
-- Never: what may change (the spec).

local _M = {}

local DEPTH = 4

local function look_into(seen, value, path, depth)
    seen[path] = value
    if type(value) ~= "table" or depth == 0 or path == "_G._G" or path == "_G.package.loaded" then
        return
    end
    seen[path .. " metatable"] = getmetatable(value) or false
    for name, inner in next, value do
        if type(name) == "string" or type(name) == "number" then
            look_into(seen, inner, path .. "." .. tostring(name), depth - 1)
        end
    end
end

local before -- what there was when look() was called

local function look()
    local seen, modules = {}, {}
    look_into(seen, _G, "_G", DEPTH)
    look_into(seen, getmetatable(""), "strings", DEPTH)
    for name, module in pairs(package.loaded) do
        modules["require " .. name] = module
    end
    return { seen, modules }
end

-- Remember everything there is now.
function _M.look()
    before = look()
end

-- What is another one than at look(), or was not there, or is gone: a sorted list of paths; modules
-- are "require NAME".
function _M.since()
    local list = {}
    for i, now in ipairs(look()) do
        for path, value in pairs(now) do
            if before[i][path] ~= value then
                list[#list + 1] = path
            end
        end
        for path in pairs(before[i]) do
            if now[path] == nil then
                list[#list + 1] = path .. " is gone"
            end
        end
    end
    table.sort(list)
    return list
end

return _M
