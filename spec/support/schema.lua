-- schema - the seed's entity, and complaints as specs compare them.
--
-- For:   specs of vault.schema.
-- Never: what is right or wrong.

local path_text = require("vault.violations").path_text

local _M = {}

-- The entity with what `more` has in the place of its own.
function _M.entity(more)
    local made = { name = "aws", prefix = "aws-sm-vault", config = { region = "us-east-1" } }
    for name, value in pairs(more or {}) do
        made[name] = value
    end
    return made
end

-- Messages by the text of their path.
function _M.by_path(list)
    local found = {}
    for _, each in ipairs(list) do
        found[path_text(each.path)] = each.message
    end
    return found
end

return _M
