-- table - the JSON lines of a run of `make bench`, as a table for people.
--
-- For:   `luajit bench/support/table.lua FILE`: per line what is measured, the figure, what stands
--        beside it, and the ratio of the two.
-- Never: a verdict; figures that are not in the lines.

local cjson = require "cjson"

local function rate(figure)
    return figure and ("%.0f/s"):format(figure) or ""
end

local function milliseconds(figure)
    return ("%.3f ms"):format(figure)
end

local function microseconds(figure)
    return ("%.1f us"):format(figure)
end

local function times(figure)
    return ("%.2f"):format(figure)
end

local sign_limit -- sign.c says each figure in a line of its own

-- bench -> function(line) -> rows of { what, figure, beside it, ratio }; nil: no row of its own.
local rows_of = {
    sign_bare_openssl = function() end,
    sign_ratio = function() end,
    sign_changing_token_ratio = function() end,
}

local function sign(what)
    return function(line)
        return { { what, rate(line.value), rate(sign_limit), times(line.value / sign_limit) } }
    end
end

rows_of.sign = sign("signature, against its OpenSSL calls")
rows_of.sign_changing_token = sign("signature, token new each time")

function rows_of.extract(line)
    local what = ("extract from %d bytes, in C"):format(line.bytes)
    return { { what, rate(line.per_second), "", "" } }
end

function rows_of.extract_lua(line)
    return { { ("extract from %d bytes, against cjson"):format(line.bytes),
               rate(line.extract_per_second), rate(line.cjson_per_second), times(line.ratio) } }
end

local function fetch_rows(line, side)
    local what = ("fetch %s, %d at a time"):format(side, line.concurrency)
    return {
        { what .. ", against bare libcurl", rate(line.per_second), rate(line.bare_per_second),
          times(line.rate_ratio) },
        { "  p50", milliseconds(line.p50_ms), milliseconds(line.bare_p50_ms),
          ("%+.3f ms"):format(line.p50_over_bare_ms) },
        { "  p99", milliseconds(line.p99_ms), milliseconds(line.bare_p99_ms), "" },
    }
end

local function server_rows(rows, line)
    rows[#rows + 1] = { "  processor time, the server's", microseconds(line.server_cpu_us),
                        microseconds(line.bare_server_cpu_us), "" }
    rows[#rows + 1] = { "  rate, if all had one processor", "", "",
                        times(line.one_processor_ratio) }
    return rows
end

function rows_of.fetch(line)
    local rows = fetch_rows(line, "in C")
    rows[4] = { "  processor time, both threads", microseconds(line.cpu_us),
                microseconds(line.bare_cpu_us), times(line.cpu_ratio) }
    return server_rows(rows, line)
end

function rows_of.gateway(line)
    local rows = fetch_rows(line, "in nginx")
    rows[4] = { "  processor time, the worker's thread", microseconds(line.worker_cpu_us), "", "" }
    rows[5] = { "  processor time, the engine's", microseconds(line.engine_cpu_us),
                microseconds(line.bare_cpu_us), times(line.engine_cpu_us / line.bare_cpu_us) }
    return server_rows(rows, line)
end

local function nanoseconds(figure)
    return ("%.1f ns"):format(figure)
end

function rows_of.cached_get(line)
    local what = ("get of %d values at hand, against "):format(line.references)
    return {
        { what .. "a table", nanoseconds(line.get_ns), nanoseconds(line.bare_ns),
          times(line.over_bare) },
        { what .. "lrucache", nanoseconds(line.get_ns), nanoseconds(line.lrucache_ns),
          times(line.over_lrucache) },
    }
end

function rows_of.cached_update(line)
    local what = ("update of %d references, against one get"):format(line.references)
    return { { what, nanoseconds(line.update_ns), nanoseconds(line.get_ns), times(line.over_get) },
             { "  dereference of them", microseconds(line.dereference_us), "", "" } }
end

local function bytes(figure)
    return ("%.0f bytes"):format(figure)
end

function rows_of.memory(line)
    local rows = {}
    for i, place in ipairs { { "Lua's heap", "lua_bytes" }, { "the worker", "worker_bytes" },
                             { "the shared dict", "dict_bytes" } } do
        local figure = line[place[2]]
        rows[i] = { ("a secret of %d, in %s"):format(line.secrets, place[1]), bytes(figure),
                    bytes(line.secret_bytes), times(figure / line.secret_bytes) }
    end
    return rows
end

function rows_of.renewal(line)
    local what = ("renewal of %d secrets at 5 ms, %d calls"):format(line.secrets, line.calls)
    return { { what, milliseconds(line.wall_ms), milliseconds(line.least_ms),
               times(line.wall_ms / line.least_ms) } }
end

function rows_of.neighbour(line)
    local p99 = milliseconds(line.p99_ms)
    return {
        { "p99 of a neighbour, fetches by another process", p99,
          milliseconds(line.other_process_p99_ms), times(line.over_other_process) },
        { "p99 of a neighbour, no fetches", p99, milliseconds(line.none_p99_ms),
          times(line.over_none) },
    }
end

function rows_of.start(line)
    local bare = milliseconds(line.luajit_ms)
    return { { "loading vault.core, beside a bare luajit", milliseconds(line.core_ms), bare, "" },
             { "loading vault, beside a bare luajit", milliseconds(line.vault_ms), bare, "" } }
end

-- What no function above knows is shown as it is.
local function as_it_is(text)
    return { { text, "", "", "" } }
end

local function print_row(row)
    print((("%-52s %12s %12s %10s"):format(row[1], row[2], row[3], row[4]):gsub("%s+$", "")))
end

local function print_table(path)
    local lines = {}
    for text in io.lines(path) do
        local line = cjson.decode(text)
        line.text = text
        lines[#lines + 1] = line
        sign_limit = line.bench == "sign_bare_openssl" and line.value or sign_limit
    end
    print_row { "", "figure", "beside it", "ratio" }
    for _, line in ipairs(lines) do
        local make = rows_of[line.bench]
        for _, row in ipairs(make and make(line) or not make and as_it_is(line.text) or {}) do
            print_row(row)
        end
    end
end

print("== medians (docs/bench.md says how to read them)")
print_table(assert(arg[1], "name the file of JSON lines"))
