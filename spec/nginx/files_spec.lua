-- files_spec - files that root could read and the workers' user cannot are warned of, each by name.
--
-- Only root has another user to be: where the specs run as somebody else, nothing may be named.

local gateway = require "spec.support.gateway"
local nginx = require "spec.support.nginx"
local system = require "spec.support.system"

local IS_ROOT = system.is_root()
local NOBODY = select(2, system.run("id -u nobody")):match("%d+")
local OVER = "init_worker is over"
local TOKEN_PROFILE = "[default]\nrole_arn = arn:aws:iam::123456789012:role/one\n"
    .. "web_identity_token_file = ~/profile-token\n"
local KEYS = "[default]\naws_access_key_id = CANARY\naws_secret_access_key = CANARY\n"

-- What a warning says behind the path, for each file below HOME.
local SAYS = {
    [".aws/credentials"] = "(the AWS credentials file), which the master could: "
        .. "keys, roles and settings of its profiles do not count there",
    [".aws/config"] = "(the AWS config file), which the master could: "
        .. "roles, regions, endpoints and settings of its profiles do not count there",
    ["profile-token"] = "(the token file of the profile's web identity), which the master could: "
        .. "the profile's role cannot be assumed there",
    ["container-token"] = "(AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE), which the master could: "
        .. "credentials of the container cannot be had there",
    ["web-token"] = "(AWS_WEB_IDENTITY_TOKEN_FILE), which the master could: "
        .. "AWS_ROLE_ARN cannot be assumed there",
    ["ca.pem"] = "(the trusted certificates), which the master could: "
        .. "no HTTPS connection can be made there",
}

describe("a file that root could read and a worker cannot", function()
    local home, one

    before_each(function()
        home = system.folder()
        system.must("mkdir " .. system.quote(home .. "/.aws"))
    end)
    after_each(function()
        if one then
            one:stop()
            one = nil
        end
        system.remove(home)
    end)

    -- Root's own files, mode 0600.
    local function put(files)
        for name, text in pairs(files) do
            system.must("chmod 600 " .. system.quote(system.write(home .. "/" .. name, text)))
        end
    end

    local function let_read(...)
        for _, name in ipairs { ... } do
            system.must("chmod 644 " .. system.quote(home .. "/" .. name))
        end
    end

    local function put_all()
        put { [".aws/credentials"] = KEYS, [".aws/config"] = TOKEN_PROFILE,
              ["profile-token"] = "CANARY", ["container-token"] = "CANARY",
              ["web-token"] = "CANARY", ["ca.pem"] = "CANARY" }
    end

    local function start(options)
        options = options or {}
        options.user = options.user or IS_ROOT and "nobody nogroup" or nil
        options.env = {
            HOME = home, AWS_ROLE_ARN = "arn:aws:iam::123456789012:role/two",
            AWS_WEB_IDENTITY_TOKEN_FILE = home .. "/web-token",
            AWS_CONTAINER_CREDENTIALS_FULL_URI = "http://localhost:9/",
            AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE = home .. "/container-token",
            AWS_CA_BUNDLE = home .. "/ca.pem",
        }
        options.init_worker = ("ngx.log(ngx.WARN, %q)"):format(OVER)
        one = gateway.start(options)
    end

    -- A copy of the module that the worker's user can load: the repository may be root's own.
    local function readable_tree()
        local tree = home .. "/tree"
        system.must(("mkdir -p %s/build/vault && cp -r %s/lua %s && cp %s/vault/core.so "
            .. "%s/build/vault && chmod -R a+rX %s"):format(tree, system.root(), tree,
            system.build(), tree, home))
        system.must("chmod 600 " .. system.quote(home .. "/web-token"))
        return tree
    end

    local function count(log, text)
        local number, at = 0, 1
        repeat
            at = log:find(text, at, true)
            number, at = number + (at and 1 or 0), at and at + 1
        until not at
        return number
    end

    -- The log once `workers` have been through init_worker.
    local function log_of(workers)
        assert.is_truthy(system.wait_for(function()
            return count(one:error_log(), OVER) == workers
        end, 10))
        local log = one:error_log()
        assert.is_nil(log:find("CANARY", 1, true))
        return log
    end

    -- Exactly the files of `names` are warned of, `times` each (once).
    local function assert_named(log, names, times)
        names = IS_ROOT and names or {}
        for _, name in ipairs(names) do
            local line = ("vault: the worker (user %s) cannot read %s/%s %s"):format(NOBODY, home,
                name, SAYS[name])
            assert.equal(times or 1, count(log, line), line .. " in " .. log)
        end
        assert.equal(#names * (times or 1), count(log, "cannot read"), log)
    end

    it("is named, once for all workers, and anew after a reload", function()
        local names = {}
        for name in pairs(SAYS) do
            names[#names + 1] = name
        end
        put_all()
        start { workers = 3 }
        assert_named(log_of(3), names)
        one.nginx:reload()
        assert_named(log_of(6), names, 2)
    end)

    it("is named with lua_code_cache off", function()
        put { ["web-token"] = "CANARY" }
        start { http = "lua_code_cache off;", tree = readable_tree() }
        assert.equal(home, one:get("$env://HOME").value) -- in a Lua VM of its own, init and all
        assert_named(log_of(1), { "web-token" })
    end)

    it("is named for its folder's sake", function()
        put_all()
        let_read(".aws/credentials", ".aws/config", "profile-token", "container-token",
            "web-token", "ca.pem")
        system.must("chmod 700 " .. system.quote(home .. "/.aws"))
        start()
        assert_named(log_of(1), { ".aws/credentials", ".aws/config" })
    end)

    it("is told from one that the worker's user can read", function()
        put_all()
        let_read("web-token", ".aws/config", "ca.pem")
        start()
        assert_named(log_of(1), { ".aws/credentials", "profile-token", "container-token" })
    end)

    it("is no file that was not there", function()
        put { ["container-token"] = "CANARY" }
        let_read("container-token")
        start()
        assert_named(log_of(1), {})
    end)

    -- The folder of a state: made and given to the workers' user, or root's.
    it("is told apart from a folder that the worker cannot write", function()
        for folder, is_theirs in pairs { ["/theirs"] = true, ["/roots"] = false } do
            system.must(("mkdir -m 700 %s"):format(system.quote(home .. folder)))
            if IS_ROOT and is_theirs then
                system.must(("chown nobody %s"):format(system.quote(home .. folder)))
            end
            start { init = ("state = %q"):format(home .. folder .. "/vaults.json") }
            local warnings = count(log_of(1), ("vault: the worker (user %s) cannot write %s%s/"
                .. "vaults.json (init's state)"):format(NOBODY, home, folder))
            assert.equal(IS_ROOT and not is_theirs and 1 or 0, warnings)
            one:stop()
        end
    end)

    it("is no file where workers are root", function()
        put_all()
        start { user = IS_ROOT and "root" or nil }
        assert_named(log_of(1), {})
    end)

    it("is no file where there is no master", function()
        put_all()
        start { main = "master_process off;" }
        assert_named(log_of(1), {})
    end)

    it("is not named where the workers' environment has another", function()
        local other = system.folder()
        put_all()
        let_read("container-token", "ca.pem")
        start { main = ("env HOME=%s; env AWS_WEB_IDENTITY_TOKEN_FILE=%s/other;"):format(other,
            other) }
        assert_named(log_of(1), {})
        system.remove(other)
    end)

    it("is not named where init was not called", function()
        put_all()
        one = nginx.start {
            env = { HOME = home }, user = IS_ROOT and "nobody nogroup" or nil,
            http = ([[
                init_by_lua_block { require "vault" }
                init_worker_by_lua_block {
                    require("vault").init_worker()
                    ngx.log(ngx.WARN, %q)
                }
            ]]):format(OVER),
        }
        assert_named(log_of(1), {})
    end)
end)
