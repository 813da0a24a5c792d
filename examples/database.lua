-- database - Kong's how-to inside a gateway: PostgreSQL, whose user and password are references.
--
-- For:   one connection of each worker, kept and used again; where it is lost, or a log-in fails,
--        vault.try makes it anew with what AWS has by then, or with the stages of a rotation.
-- Never: HTTP (database.conf); values of the secret in what it returns.
--
-- LuaSQL waits inside C: while the database works on a query or a log-in, the worker serves nobody
-- else. It is here because Debian has a package of it. A production gateway takes a client that
-- waits as nginx does, on cosockets: pgmoon, as Kong itself. There the callback of `try` connects
-- from nginx's pool of connections, and what is kept here goes back to it after each request.

local luasql = require "luasql.postgres"
local vault = require "vault"

local _M = {}

local CONNECTIONS_MOST = 3 -- for one query: each may be lost before the answer is there
local CONNECT_TIMEOUT = 2 -- seconds

local client = luasql.postgres()
local settings -- once they could be had
local link -- this worker's connection, or nil

-- Settings ----------------------------------------------------------------------------------------

local function variable(name, default)
    return vault.get("$env://" .. name) or default
end

-- What the how-to gives `docker run`. Any of it may be a reference.
local function read_settings()
    if settings then
        return settings
    end
    local read = {
        host = variable("KONG_PG_HOST", "127.0.0.1"), port = variable("KONG_PG_PORT", "5432"),
        database = variable("KONG_PG_DATABASE", "kong"),
        user = variable("KONG_PG_USER", "kong"), password = variable("KONG_PG_PASSWORD"),
    }
    local ok, message, word = vault.dereference(read)
    if not ok then
        return nil, message, word
    end
    settings = settings or read -- another request may have been quicker
    return settings
end

-- Connecting --------------------------------------------------------------------------------------

-- libpq names the user, who is of the secret too; it breaks lines.
local function without_values(message, conf)
    for _, name in ipairs { "password", "user" } do
        local value = conf[name]
        if value and value ~= "" then
            message = message:gsub(value:gsub("%p", "%%%0"), "<" .. name .. ">")
        end
    end
    return (message:gsub("%s+", " "))
end

-- The callback of `try`: a connection | nil, message
local function connect(conf)
    if link then -- another request was quicker
        return link
    end
    local made, message = client:connect(
        ("dbname='%s' connect_timeout=%d"):format(conf.database:gsub("[\\']", "\\%0"),
            CONNECT_TIMEOUT),
        conf.user, conf.password, conf.host, conf.port)
    if not made then
        return nil, without_values(message, conf)
    end
    link = made
    return link
end

-- Querying ----------------------------------------------------------------------------------------

local function rows_of(cursor)
    local rows = {}
    local row = cursor:fetch({}, "a")
    while row do
        rows[#rows + 1] = row
        row = cursor:fetch({}, "a")
    end
    cursor:close()
    return rows
end

-- rows | nil, message. Where the connection is lost, which only another query shows, it is dropped.
local function execute(sql)
    local cursor, message = link:execute(sql)
    if cursor then
        return rows_of(cursor)
    end
    local alive = link:execute("SELECT 1")
    if alive then
        alive:close()
    else
        link:close()
        link = nil
    end
    return nil, message
end

-- What the database answers to a query.
--
-- sql  a query that may be done twice: where the connection is lost nobody knows whether it was
--
-- context: phases that can wait
-- list of rows, { column = text } each | nil, message; the message is for the log
function _M.query(sql)
    local conf, message = read_settings()
    if not conf then
        return nil, message
    end
    local rows
    for _ = 1, CONNECTIONS_MOST do
        if not link then
            local ok, failure = vault.try(connect, conf, { stages = true })
            if not ok then
                return nil, failure
            end
        end
        rows, message = execute(sql)
        if link then
            break
        end
    end
    return rows, rows == nil and without_values(message, conf) or nil
end

return _M
