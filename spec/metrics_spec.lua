-- metrics_spec - counters of a node and their Prometheus text (vault.metrics).

local dicts = require "spec.support.dict"
local metrics = require "vault.metrics"

-- The text exposition format 0.0.4, read strictly: HELP, TYPE, then the family's samples; nothing
-- twice, nothing else. name with labels -> value, name -> type, names in order.
local function name_of_sample(line)
    local name, rest = line:match("^([%a_:][%w_:]*)(.*)$")
    assert(name, "no name: " .. line)
    local label, quoted, value = rest:match('^{([%a_][%w_]*)="(.-[^\\])"} (%S+)$')
    if not label then
        label, quoted, value = rest:match('^{([%a_][%w_]*)=("")} (%S+)$')
    end
    if not label then
        value = rest:match("^ (%S+)$")
    else
        assert(not quoted:gsub('\\[\\n"]', ""):find('[\\"\n%z\1-\31\127-\255]') or quoted == '""',
            "not escaped: " .. line)
    end
    assert(value and (tonumber(value) or value == "NaN" or value:find("^[+-]Inf$")),
        "no value: " .. line)
    return name, value
end

local SUFFIXES = { summary = { _sum = true, _count = true } }

local function parse(text)
    assert.equal("\n", text:sub(-1))
    local samples, types, order, family = {}, {}, {}, nil
    local want = "HELP"
    for line in text:gmatch("([^\n]*)\n") do
        local word, name, more = line:match("^# (%u+) (%S+) (.*)$")
        if word == "HELP" then
            assert(want ~= "TYPE" and not types[name], "HELP out of place: " .. line)
            family, want = name, "TYPE"
            order[#order + 1] = name
        elseif word == "TYPE" then
            assert(want == "TYPE" and name == family, "TYPE out of place: " .. line)
            assert(({ counter = true, gauge = true, summary = true })[more], line)
            types[name], want = more, "sample"
        else
            local sample, value = name_of_sample(line)
            local key = line:match("^(.*) %S+$")
            local suffix = sample:sub(#family + 1)
            assert(sample:sub(1, #family) == family, "another family's: " .. line)
            assert(suffix == "" or (SUFFIXES[types[family]] or {})[suffix], line)
            assert(want ~= "TYPE" and want ~= "HELP" and not samples[key], "twice: " .. line)
            samples[key] = tonumber(value) or value
            want = "more"
        end
    end
    assert.equal("more", want)
    return samples, types, order
end

describe("the strict parser", function()
    for _, text in ipairs { "", "a 1\n", "# HELP a b\na 1\n", "# HELP a b\n# TYPE a counter\n",
                            "# HELP a b\n# TYPE a counter\na 1", "# HELP a b\n# TYPE b counter\n",
                            "# HELP a b\n# TYPE a counter\nb 1\n",
                            "# HELP a b\n# TYPE a counter\na 1\na 2\n",
                            "# HELP a b\n# TYPE a counter\na x\n",
                            '# HELP a b\n# TYPE a counter\na{b="c"d"} 1\n',
                            '# HELP a b\n# TYPE a counter\na{b="c\\d"} 1\n' } do
        it(("refuses %q"):format(text), function()
            assert.is_false((pcall(parse, text)))
        end)
    end
end)

describe("metrics", function()
    local clock, dict, one, two

    local function worker()
        return metrics.new { dict = dict, now = function() return clock end }
    end

    before_each(function()
        clock = 1700000000.5
        dict = dicts.new { now = function() return clock end }
        one, two = worker(), worker()
    end)

    it("begin with zeros, in order", function()
        local samples, types, order = parse(one:text())
        assert.equal(0, samples['vault_hits_total{level="worker"}'])
        assert.equal(0, samples['vault_hits_total{level="dict"}'])
        assert.equal(0, samples.vault_misses_total)
        assert.equal(0, samples.vault_refresh_lag_seconds_count)
        assert.equal("summary", types.vault_refresh_lag_seconds)
        assert.equal("counter", types.vault_batches_total)
        local sorted = { unpack(order) }
        table.sort(sorted)
        assert.same(sorted, order)
    end)

    it("have a name, a help and a place in the text each", function()
        for _, entry in ipairs(metrics.NAMES) do
            one:count(entry.name, entry.label and "x", 2)
        end
        local samples = parse(one:text())
        for _, entry in ipairs(metrics.NAMES) do
            local key = entry.label and ('%s{%s="x"}'):format(entry.name, entry.label)
            assert.equal(2, samples[key or entry.name], entry.name)
            assert.is_true(#entry.help > 0)
        end
    end)

    it("are all workers' together, flushed or not", function()
        one:count("vault_misses_total")
        one:flush()
        two:count("vault_misses_total", nil, 4)
        assert.equal(5, parse(two:text()).vault_misses_total)
        assert.equal(1, parse(one:text()).vault_misses_total)
        two:flush()
        two:flush()
        one:flush()
        assert.equal(5, parse(one:text()).vault_misses_total)
        assert.equal(5, parse(worker():text()).vault_misses_total)
    end)

    it("with labels are too, whoever used the label first", function()
        for i, word in ipairs { "ok", "timeout", "not_found" } do
            one:count("vault_fetches_total", word, i)
            two:count("vault_fetches_total", ({ "not_found", "throttled", "ok" })[i], 10 * i)
        end
        one:flush()
        two:flush()
        local samples = parse(worker():text())
        assert.equal(31, samples['vault_fetches_total{outcome="ok"}'])
        assert.equal(2, samples['vault_fetches_total{outcome="timeout"}'])
        assert.equal(13, samples['vault_fetches_total{outcome="not_found"}'])
        assert.equal(20, samples['vault_fetches_total{outcome="throttled"}'])
    end)

    it("lose nothing over many flushes of many workers", function()
        math.randomseed(5)
        local workers, want = { one, two, worker(), worker() }, {}
        for _ = 1, 3000 do
            local word, n = "w" .. math.random(20), math.random(3)
            local asker = workers[math.random(4)]
            dict.full = math.random() < 0.3
            asker:count("vault_fetches_total", word, n)
            want[word] = (want[word] or 0) + n
            if math.random() < 0.3 then
                asker:flush()
            end
        end
        dict.full = false
        for _, asker in ipairs(workers) do
            asker:flush()
        end
        local samples = parse(one:text())
        for word, n in pairs(want) do
            assert.equal(n, samples[('vault_fetches_total{outcome="%s"}'):format(word)])
        end
    end)

    it("add up what is not whole", function()
        one:count("vault_refresh_lag_seconds_sum", nil, 0.25)
        one:count("vault_refresh_lag_seconds_count")
        one:flush()
        one:count("vault_refresh_lag_seconds_sum", nil, 1.5)
        local samples = parse(one:text())
        assert.equal(1.75, samples.vault_refresh_lag_seconds_sum)
        assert.equal(1, samples.vault_refresh_lag_seconds_count)
    end)

    it("refuse what is no counter, no label and no amount", function()
        local function refused(message, ...)
            local arguments = { ... }
            assert.has_error(function() one:count(unpack(arguments, 1, 3)) end, message)
        end
        refused("no counter has the name vault_nothing", "vault_nothing")
        refused("no counter has the name nil", nil)
        refused("vault_fetches_total needs a label", "vault_fetches_total")
        refused("vault_misses_total has no label", "vault_misses_total", "x")
        refused("counters only go up", "vault_misses_total", nil, -1)
        refused("counters only go up", "vault_misses_total", nil, 0 / 0)
        refused("counters only go up", "vault_hits_total", "dict", math.huge)
    end)

    it("count no more than 64 labels, on a worker and on the node", function()
        for i = 1, 100 do
            one:count("vault_fetches_total", "a" .. i)
            two:count("vault_fetches_total", "b" .. i)
        end
        local function lines(from)
            local samples = parse(from:text())
            local count, sum = 0, 0
            for key, value in pairs(samples) do
                if key:find("^vault_fetches_total") then
                    count, sum = count + 1, sum + value
                end
            end
            return count, sum, samples['vault_fetches_total{outcome="other"}']
        end
        assert.same({ 65, 100, 36 }, { lines(one) })
        one:flush()
        two:flush()
        local count, sum, other = lines(worker())
        assert.same({ 65, 200, 136 }, { count, sum, other })
    end)

    for _, label in ipairs { "", "a b", 'a"', "a\n", "a\0", ("x"):rep(65), "\195\188" } do
        it(("count label %q as other"):format(label), function()
            one:count("vault_fetches_total", label)
            one:flush()
            assert.equal(1, parse(two:text())['vault_fetches_total{outcome="other"}'])
        end)
    end

    it("stay on the worker while the dict is full", function()
        dict.full = true
        one:count("vault_misses_total", nil, 3)
        one:count("vault_fetches_total", "ok")
        one:flush()
        local samples = parse(one:text())
        assert.equal(3, samples.vault_misses_total)
        assert.equal(1, samples['vault_fetches_total{outcome="ok"}'])
        assert.equal(0, parse(two:text()).vault_misses_total)
        dict.full = false
        one:flush()
        assert.equal(3, parse(two:text()).vault_misses_total)
    end)

    it("begin anew with a dict that was flushed", function()
        one:count("vault_fetches_total", "ok", 5)
        one:flush()
        dict:flush_all()
        two:count("vault_fetches_total", "timeout")
        two:flush()
        one:count("vault_fetches_total", "ok")
        one:flush()
        local samples = parse(two:text())
        assert.equal(1, samples['vault_fetches_total{outcome="ok"}'])
        assert.equal(1, samples['vault_fetches_total{outcome="timeout"}'])
    end)

    it("need no dict", function()
        dict = nil
        one = worker()
        one:count("vault_misses_total")
        one:flush()
        assert.equal(1, parse(one:text()).vault_misses_total)
    end)

    it("use nothing that puts entries out of the dict, and list no keys", function()
        dict:safe_set("another's", "value")
        dict.set, dict.add, dict.get_keys, dict.full = false, false, false, true
        one:count("vault_fetches_total", "ok")
        one:flush()
        parse(one:text())
        assert.same({}, dict.evicted)
    end)

    describe("of gauges", function()
        it("stand among the others", function()
            local samples, types = parse(one:text {
                { name = "vault_entries", help = "Entries.", label = { "level", "worker" },
                  value = 12 },
                { name = "vault_entries", help = "Entries.", label = { "level", "dict" },
                  value = 30000000 },
                { name = "vault_resurrected_secrets", help = "a\\b\nc", value = 0.5 },
            })
            assert.equal(12, samples['vault_entries{level="worker"}'])
            assert.equal(30000000, samples['vault_entries{level="dict"}'])
            assert.equal(0.5, samples.vault_resurrected_secrets)
            assert.equal("gauge", types.vault_entries)
        end)

        it("have their labels escaped", function()
            local text = one:text { { name = "g", help = "h", label = { "vault", 'a"\\\n\1\255' },
                                      value = 1 } }
            parse(text)
            assert.is_truthy(text:find([[g{vault="a\"\\\n\\x01\\xff"} 1]], 1, true))
        end)

        it("are shown once for a name and label", function()
            local gauge = { name = "g", help = "h", label = { "vault", "" }, value = 1 }
            assert.equal(1, parse(one:text { gauge, { name = "g", help = "i", value = 3,
                label = { "vault", "" } } })['g{vault=""}'])
        end)

        it("may be infinite or no number", function()
            local text = one:text { { name = "a", help = "h", value = math.huge },
                                    { name = "b", help = "h", value = -math.huge },
                                    { name = "c", help = "h", value = 0 / 0 } }
            parse(text)
            assert.is_truthy(text:find("a +Inf\n", 1, true))
            assert.is_truthy(text:find("b -Inf\n", 1, true))
            assert.is_truthy(text:find("c NaN\n", 1, true))
        end)

        it("are refused where they are none", function()
            for _, gauge in ipairs { { name = "a b", help = "", value = 1 },
                                     { help = "", value = 1 }, { name = "g", help = "" },
                                     { name = "vault_misses_total", help = "", value = 1 },
                                     { name = "vault_refresh_lag_seconds", help = "", value = 1 },
                                     { name = "g", label = { "1", "x" }, value = 1 } } do
                assert.has_error(function() one:text { gauge } end,
                    "not a gauge: " .. tostring(gauge.name))
            end
        end)
    end)
end)
