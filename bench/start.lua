-- start - what it costs to have the library: a program that loads it, beside one that does not.
--
-- For:   milliseconds of a LuaJIT that ends at once, that loads vault.core, that loads vault and
--        all its rooms: whole processes, in turns, medians. One JSON line.
-- Never: a pass or a fail; the first fetch (gateway.lua).

local clock = require "bench.support.clock"
local median = require("bench.support.rounds").median
local system = require "spec.support.system"

local ROUNDS = 25

local PATHS = ('package.path = "%s/lua/?.lua;%s/lua/?/init.lua;" .. package.path '
    .. 'package.cpath = "%s/?.so;" .. package.cpath '):format(system.root(), system.root(),
    system.build())
local PROGRAMS = { none = PATHS, core = PATHS .. 'require "vault.core"',
                   vault = PATHS .. 'require "vault"' }

local spent = { none = {}, core = {}, vault = {} }

for round = 0, ROUNDS do -- the first is for the disk
    for name, text in pairs(PROGRAMS) do
        local began = clock.milliseconds()
        system.must("luajit -e " .. system.quote(text))
        spent[name][round] = clock.milliseconds() - began
    end
end

local none = median(spent.none)
print(('{"bench":"start","rounds":%d,"core_ms":%.2f,"vault_ms":%.2f,"luajit_ms":%.2f}'):format(
    ROUNDS, median(spent.core) - none, median(spent.vault) - none, none))
