-- rooms - modules of lua/vault loaded anew, with stand-ins in the place of others.
--
-- For:   specs of what has state, or of what would go to the network.
-- Never: what the stand-ins do, but for the AWS that is a table.

local _M = {}

-- The modules named in `wanted`, loaded anew in that order, with `standing_in`'s (name -> module)
-- in the place of the others; and a function that puts everything back.
function _M.load(wanted, standing_in)
    local before = {}
    local function put(name, module)
        if before[name] == nil then
            before[name] = package.loaded[name] or false
        end
        package.loaded[name] = module
    end
    for name, module in pairs(standing_in) do
        put(name, module)
    end
    for _, name in ipairs(wanted) do
        put(name, nil)
    end
    local loaded = {}
    for i, name in ipairs(wanted) do
        loaded[i] = require(name)
    end
    loaded[#loaded + 1] = function()
        for name, module in pairs(before) do
            package.loaded[name] = module or nil
        end
    end
    return unpack(loaded)
end

-- vault.fetch over a table: aws.secrets[SecretId] is { AWSCURRENT = text, AWSPREVIOUS = text,
-- binary }, or the word it fails with. Everything else is not_found. Each text has a VersionId of
-- its own. aws.asked is what was asked, aws.options the last get's, aws.started the last start.
function _M.aws()
    local aws = { secrets = {}, asked = {}, versions = {}, known = 0 }
    local function version_of(text)
        if not aws.versions[text] then
            aws.known = aws.known + 1
            aws.versions[text] = "v" .. aws.known
        end
        return aws.versions[text]
    end
    function aws.get(key, request, on_done, options, about)
        aws.asked[#aws.asked + 1] = request
        request.key, aws.options = key, options
        local secret = aws.secrets[request.secret_id] or "not_found"
        local text = type(secret) == "table" and secret[request.terms.stage]
        if text then
            return on_done({ payload = text, binary = secret.binary or false,
                             version_id = version_of(text) }, nil, nil, about)
        end
        local word = type(secret) == "string" and secret or "not_found"
        local message = ('planted %s of "%s"'):format(word, request.secret_id)
        return on_done(nil, message, word, about), message, word
    end
    function aws.start(request, on_done)
        aws.asked[#aws.asked + 1] = request
        aws.started = { request = request, on_done = on_done }
        return true
    end
    function aws.configure(settings)
        aws.settings = settings
    end
    function aws.init_worker()
        aws.workers = (aws.workers or 0) + 1
    end
    function aws.share(options)
        aws.shared = options
    end
    function aws.blocks()
        return aws.blocking or false
    end
    return aws
end

-- vault.environment over a table.
function _M.environment(variables)
    return {
        get = function(name)
            if name == "AWS_SECRET_ACCESS_KEY" then
                return nil, "planted refusal", "refused"
            end
            return variables[name]
        end,
        is_settled = function()
            return not variables.UNSETTLED
        end,
    }
end

return _M
