-- aws_terms_spec - what all secrets of a vault have in common, settled once.
--
-- For:   aws.settle with terms: the same as without; when they are kept.
-- Never: what is settled (aws_spec, config_spec).

local rooms = require "spec.support.rooms"

describe("aws by a vault's terms", function()
    local FIELDS = { "resource", "key", "group", "region", "stage", "ttl", "timeout",
                     "neg_ttl", "endpoint_url", "access_key_id", "batchable", "exact", "may_cache",
                     "may_retry", "base64_decode", "resurrect_ttl", "role_session_name" }
    local ARN = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:app-a1b2c3"
    local aws, restore, variables, entity

    before_each(function()
        variables = {}
        aws, restore = rooms.load({ "vault.aws" }, {
            ["vault.fetch"] = rooms.aws(), ["vault.environment"] = rooms.environment(variables),
        })
        entity = { region = "eu-west-1", access_key_id = "A", secret_access_key = "B",
                   ttl = 60, allow = { "app*", ARN } }
    end)
    after_each(function()
        restore()
    end)

    -- What is settled for `parts` after `first` was, field by field as without terms.
    local function settle(first, parts)
        local terms = {}
        assert(aws.settle(first, entity, nil, terms))
        local made, message, word = aws.settle(parts, entity, nil, terms)
        local wanted, wanted_message, wanted_word = aws.settle(parts, entity)
        assert.same({ wanted == nil, wanted_message, wanted_word },
            { made == nil, message, word })
        for _, field in ipairs(made and FIELDS or {}) do
            assert.equal(wanted[field], made[field], field)
        end
        return made, terms
    end

    it("is as without them", function()
        local first = { resource = "app" }
        assert.equal("app2", settle(first, { resource = "app2" }).resource)
        assert.is_nil(rawget(settle(first, { resource = "app2", version = 1 }), "ttl"))
        settle(first, { resource = "app2", version = 2 })
        settle({ resource = "app", version = 2 }, { resource = "app2", version = 2 })
        settle({ resource = "app", version = 2 }, { resource = "app2" })
        settle(first, { resource = ARN })
        settle({ resource = ARN }, first)
        settle(first, { resource = "app", config = { ttl = 5, region = "us-east-1" } })
        settle({ resource = "app", config = { ttl = 5 } }, first)
        local options = { ttl = 5, neg_ttl = 1, resurrect_ttl = 0, base64_decode = true,
                          region = "eu-west-1" }
        local made = settle({ resource = "app", config = options },
            { resource = "app2", config = options })
        assert.same({ nil, 5, "app2" }, { rawget(made, "ttl"), made.ttl, made.resource })
        for option in pairs(options) do -- each of them matters
            local others = { ttl = 7, neg_ttl = 2, resurrect_ttl = 9, base64_decode = false,
                             region = "us-east-1" }
            local changed = setmetatable({ [option] = others[option] }, { __index = options })
            settle({ resource = "app", config = options },
                { resource = "app2", config = changed })
            settle({ resource = "app", config = options },
                { resource = "app2", config = { [option] = options[option] } })
        end
        settle({ resource = "app", config = { ttl = 5 } },
            { resource = "app", config = { ttl = 5 }, version = 2 })
        settle(first, { resource = "app", stage = "AWSPENDING" })
        settle({ resource = "app", stage = "AWSPENDING" }, first)
        assert.is_nil(settle(first, { resource = "other" }))
        assert.is_nil(settle(first, { resource = "app", version = 3 }))
    end)

    it("keeps so many of different options, and no more", function()
        local terms = {}
        for ttl = 1, 150 do
            local parts = { resource = "app", config = { ttl = ttl } }
            assert.equal(ttl, aws.settle(parts, entity, nil, terms).ttl)
            assert.equal(ttl, aws.settle(parts, entity, nil, terms).ttl)
        end
        assert.equal(100, terms.count)
    end)

    it("keeps no secret's own fields in them", function()
        local _, terms = settle({ resource = "app" }, { resource = "app2" })
        local common = terms[1].metatable.__index
        assert.is_nil(common.resource or common.key or common.origin)
        assert.equal("app", aws.settle({ resource = "app" }, entity, nil, terms).resource)
    end)

    it("keeps none of ARNs, each of which has a region of its own", function()
        local us = ARN:gsub("eu%-west%-1", "us-east-1")
        entity.allow = { "app" }
        local made, terms = settle({ resource = ARN }, { resource = us })
        assert.same({ "us-east-1", "us-east-1" }, { made.region, made.terms.region })
        assert.same({}, terms)
        assert.equal("eu-west-1", settle({ resource = us }, { resource = "app" }).region)
        assert.equal("us-east-1", settle({ resource = "app" }, { resource = us }).region)
    end)

    it("keeps none while the environment may be another one", function()
        variables.UNSETTLED = "1"
        local _, terms = settle({ resource = "app" }, { resource = "app2" })
        assert.same({}, terms)
    end)
end)
