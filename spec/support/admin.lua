-- admin - the Admin API without nginx: requests as tables, over vaults that are a list.
--
-- For:   specs of vault.admin and its rooms.
-- Never: files, locks, workers: what a change is at rest is vault.vaults'.

local admin = require "vault.admin"
local cjson = require "cjson"
local encode = require("vault.json_text").encode
local entities = require "vault.entities"

local _M = {}
local methods = {}
local metatable = { __index = methods }

-- vault.vaults over self.entities; self.broken is what a write fails with.
local function stand_in(self)
    return {
        read_news = function() end,
        list = function()
            local list = entities.copy(self.entities)
            table.sort(list, entities.precedes)
            return list
        end,
        change = function(edit)
            local edited, result = edit(entities.copy(self.entities))
            if not edited then
                return nil, result
            elseif self.broken then
                return nil, self.broken
            end
            self.entities = edited
            return result
        end,
    }
end

-- An Admin API with no vaults; its clock is .clock, the n-th id ends in n. .renewed: prefixes that
-- were refreshed; .renewal: what that gives. .warned: messages. .token: of serve().
function _M.new()
    local self = setmetatable({ entities = {}, clock = 1644942689, ids = 0, renewed = {},
                                warned = {}, secrets = {} }, metatable)
    self.renewal = { secrets = 2, failed = 0 }
    self.parts = {
        vaults = stand_in(self), now = function() return self.clock end,
        uuid = function()
            self.ids = self.ids + 1
            return ("2911e119-ee1f-42af-a114-%012x"):format(self.ids)
        end,
        renew = function(prefix)
            self.renewed[#self.renewed + 1] = prefix
            return self.renewal
        end,
        status = function() return { version = "1.2.3", credentials = {} } end,
        metrics = function() return "# metrics\n" end,
        get = function(reference)
            local value = self.secrets[reference]
            return value, not value and "planted failure" or nil
        end,
        warn = function(message) self.warned[#self.warned + 1] = message end,
    }
    return self
end

-- Ask it: the status, the body as a table (or the text that is no JSON), the answer as it is.
--
-- options  body, type (JSON where there is a body), addresses, origin, tokens, length, encoding,
--          mount
function methods:ask(method, target, options)
    options = options or {}
    local answer = admin.answer({
        method = method, target = target, read = function() return options.body or "" end,
        addresses = options.addresses or { "127.0.0.1", "127.0.0.1" }, origin = options.origin,
        tokens = options.tokens or {}, content_length = options.length,
        content_type = options.type or options.body and "application/json" or nil,
        content_encoding = options.encoding,
    }, self.parts, { token = self.token, mount = options.mount })
    local text = answer.text or answer.body and encode(answer.body)
    self.text = text
    return answer.status, answer.body and cjson.decode(text) or text, answer
end

-- The same with a form, as curl's --data sends it.
function methods:form(method, target, form)
    return self:ask(method, target,
        { body = form, type = "application/x-www-form-urlencoded" })
end

-- The same with a table as JSON.
function methods:json(method, target, value)
    return self:ask(method, target, { body = cjson.encode(value) })
end

return _M
