-- files - what root could read at start and a worker's user cannot; what that user cannot write.
--
-- For:   remembering in the master which files of the credential chain it can read; saying in a
--        worker, by name, which of them the worker cannot, and whether it can keep vaults.
-- Never: which files those are (C's), a byte of any; stopping anything: it is a warning.

local core = require "vault.core"
local reference = require "vault.reference"

local quote = reference.quote

local _M = {}

local PATH_SHOW = 256

-- Of the master, inherited by its workers: a list of what it could read, all paths by name, and
-- init's file of certificates and file of vaults. nil where vault.init was not called.
local could_read, paths, certificates, state

local function by_name(files)
    local found = {}
    for _, file in ipairs(files) do
        found[file.name] = file.path
    end
    return found
end

-- Whether the worker's own environment (`env AWS_CONFIG_FILE=..;`) sends it to another file. What
-- a profile names is not in its list where it cannot read the profile.
local function is_elsewhere(file, here)
    if here[file.name] or not file.of_profile then
        return here[file.name] ~= file.path
    end
    for name, path in pairs(here) do
        if paths[name] and paths[name] ~= path then
            return true
        end
    end
    return false
end

-- Call in init. ca_file: the file of trusted certificates, or nil; state_file: that in which the
-- workers keep vaults, or nil.
function _M.remember(ca_file, state_file)
    local files = core.credential_files(ca_file)
    could_read, paths, certificates, state = {}, by_name(files or {}), ca_file, state_file
    for _, file in ipairs(files or {}) do
        if file.readable then
            could_read[#could_read + 1] = file
        end
    end
end

-- Call in init_worker. One worker speaks for all; others than workers keep root's rights.
function _M.check()
    if not could_read or ngx.worker.id() ~= 0 then
        return
    end
    local files, user = core.credential_files(certificates)
    local here, said = by_name(files or {}), {}
    for _, file in ipairs(could_read) do
        if not (said[file.path] or is_elsewhere(file, here) or core.readable(file.path)) then
            said[file.path] = true
            ngx.log(ngx.WARN, "vault: the worker (user ", user, ") cannot read ",
                quote(file.path, PATH_SHOW), " (", file.name, "), which the master could: ",
                file.lost)
        end
    end
    if state and not core.replaceable(state) then
        ngx.log(ngx.WARN, "vault: the worker (user ", user, ") cannot write ",
            quote(state, PATH_SHOW), " (init's state): the vaults cannot be changed while nginx ",
            "runs")
    end
end

return _M
