-- seeds - the code blocks of the documents that this library answers to, as they are written there.
--
-- For:   specs that run them: Kong's page on AWS Secrets Manager as a backend, Kong's how-to on
--        database credentials, APISIX's how-to. Kong's overview has none.
-- Never: a command of our own; the indentation that a list gave to a whole block is left away.
--
-- A block with `not_run` is not run, and says why. All others must be.

local _M = {}

local BLOCKS = {
    -- Kong: AWS Secrets Manager -------------------------------------------------------------------
    { "credentials", [[
export AWS_ACCESS_KEY_ID=<access_key_id>
export AWS_SECRET_ACCESS_KEY=<secrets_access_key>
export AWS_SESSION_TOKEN=<token>
export AWS_REGION=<aws-region>]] },
    { "default region", [[
export KONG_VAULT_AWS_REGION=<aws-region>]] },
    { "role", [[
export KONG_VAULT_AWS_ASSUME_ROLE_ARN=<aws_iam_role_arn>
export KONG_VAULT_AWS_ROLE_SESSION_NAME=<aws_assume_role_session_name>]] },
    { "secret", [[
{
  "foo": "bar",
  "snip": "snap"
}]] },
    { "references", [[
{vault://aws/secret-name/foo}
{vault://aws/secret-name/snip}]] },
    { "versions", [[
# For AWSCURRENT, not specifying version
{vault://aws/secret-name/foo}

# For AWSCURRENT, specifying version == 1
{vault://aws/secret-name/foo#1}

# For AWSPREVIOUS, specifying version == 2
{vault://aws/secret-name/foo#2}]] },
    { "put vault", [[
curl -i -X PUT http://localhost:8001/vaults/aws-sm-vault  \
  --data name=aws \
  --data description="Storing secrets in AWS Secrets Manager" \
  --data config.region="us-east-1"]] },
    { "vault", [[
{
    "config": {
        "region": "us-east-1"
    },
    "created_at": 1644942689,
    "description": "Storing secrets in AWS Secrets Manager",
    "id": "2911e119-ee1f-42af-a114-67061c3831e5",
    "name": "aws",
    "prefix": "aws-sm-vault",
    "tags": null,
    "updated_at": 1644942689
}]] },
    { "declared vault", [[
_format_version: "3.0"
vaults:
- config:
    region: us-east-1
  description: Storing secrets in AWS Secrets Manager
  name: aws
  prefix: aws-sm-vault]] },
    { "vault's references", [[
{vault://aws-sm-vault/secret-name/foo}
{vault://aws-sm-vault/secret-name/snip}]] },
    { "put eu-central",
        "curl -X PUT http://localhost:8001/vaults/aws-eu-central-vault "
            .. '-d name=aws -d config.region="eu-central-1"' },
    { "put us-west",
        "curl -X PUT http://localhost:8001/vaults/aws-us-west-vault "
            .. '-d name=aws -d config.region="us-west-1"' },
    { "regions' references", [[
{vault://aws-eu-central-vault/secret-name/foo}
{vault://aws-us-west-vault/secret-name/snip}]] },

    -- Kong: database credentials ------------------------------------------------------------------
    { "network", [[
docker network create kong-net]], not_run = "Docker" },
    { "database", [[
docker run -d --name kong-database \
  --network=kong-net \
  -p 5432:5432 \
  -e "POSTGRES_USER=admin" \
  -e "POSTGRES_PASSWORD=password" \
  postgres:9.6]], not_run = "Docker" },
    { "user and password", [[
KONG_PG_USER=kong
KONG_PG_PASSWORD=KongFTW]] },
    { "create user", [[
docker exec -it kong-database psql -U admin -c \
  "CREATE USER ${KONG_PG_USER} WITH PASSWORD '${KONG_PG_PASSWORD}'"]],
        not_run = "Docker; the database's own" },
    { "user created", "CREATE ROLE", not_run = "what the database prints" },
    { "create database",
        'docker exec -it kong-database psql -U admin -c "CREATE DATABASE kong '
            .. 'OWNER ${KONG_PG_USER};"', not_run = "Docker; the database's own" },
    { "database created", "CREATE DATABASE", not_run = "what the database prints" },
    { "create secret", [[
aws secretsmanager create-secret --name kong-gateway-database \
  --description "Kong GW Database credentials"]] },
    { "put secret value", [[
aws secretsmanager put-secret-value --secret-id kong-gateway-database \
  --secret-string '{"pg_user":"'${KONG_PG_USER}'","pg_password":"'${KONG_PG_PASSWORD}'"}']] },
    { "migrations", [[
docker run --rm \
  --network=kong-net \
  -e "KONG_DATABASE=postgres" \
  -e "KONG_PG_HOST=kong-database" \
  -e "KONG_PG_USER=$KONG_PG_USER" \
  -e "KONG_PG_PASSWORD=$KONG_PG_PASSWORD" \
  kong/kong-gateway:latest kong migrations bootstrap]], not_run = "Docker; Kong's own" },
    -- Docker again: what it gives the gateway for an environment is given to ours.
    { "launch", [[
docker run --rm \
  --network=kong-net \
  -e "KONG_DATABASE=postgres" \
  -e "KONG_PG_HOST=kong-database" \
  -e "AWS_ACCESS_KEY_ID" \
  -e "AWS_SECRET_ACCESS_KEY" \
  -e "AWS_REGION" \
  -e "AWS_SESSION_TOKEN" \
  -e "KONG_PG_USER={vault://aws/kong-gateway-database/pg_user}" \
  -e "KONG_PG_PASSWORD={vault://aws/kong-gateway-database/pg_password}" \
  kong/kong-gateway:{{page.kong_version}}]] },
    { "verify", "curl -s localhost:8001" },

    -- APISIX --------------------------------------------------------------------------------------
    { "put manager", [[
curl "http://127.0.0.1:9180/apisix/admin/secrets/aws/john" -X PUT -d '
{
"region": "ap-southeast-2",
"access_key_id": "AKIARK7HKSJVWAIKFOXR",
"secret_access_key": "2z7gJxhO0kgwVNkN9QlvpNXdO9Q8Wvie6S2kKOJr"
}']] },
    -- These three belong to APISIX itself: the example's configuration holds the same.
    { "put consumer", [[
curl "http://127.0.0.1:9180/apisix/admin/consumers" -X PUT -d '
{
"username": "john"
}']] },
    { "put credential", [[
curl "http://127.0.0.1:9180/apisix/admin/consumers/john/credentials" -X PUT -d '
{
"id": "cred-john-key-auth",
"plugins": {
"key-auth": {
"key": "$secret://aws/john/apisix-secrets/john-key-auth"
}
}
}']] },
    { "put route", [[
curl "http://127.0.0.1:9180/apisix/admin/routes" -X PUT -d '
{
"id": "key-auth-route",
"uri": "/anything",
"plugins": {
"key-auth": {}
},
"upstream" : {
"nodes": {
"httpbin.org": 1
}
}
}']] },
    { "right key", [[
curl -i "http://127.0.0.1:9080/anything" -H 'apikey: john-key']] },
    { "trusted certificate", [[
apisix:
ssl:
ssl_trusted_certificate: /etc/ssl/certs/ca-certificates.crt]],
        not_run = "APISIX's file; here it is vault.init's trusted_certificate" },
    { "reload", "docker exec apisix-quickstart apisix reload", not_run = "Docker; APISIX's own" },
    { "wrong key", [[
curl -i "http://127.0.0.1:9080/anything" -H 'apikey: wrong-key']] },
}

local by_name, asked = {}, {}
for _, block in ipairs(BLOCKS) do
    by_name[block[1]] = block
end

-- The block's text, which the caller runs or compares with.
function _M.text(name)
    local block = assert(by_name[name], name)
    assert(not block.not_run, name .. " is not run")
    asked[name] = true
    return block[2]
end

-- The references in a block, in their order.
function _M.references(name)
    local found = {}
    for reference in _M.text(name):gmatch("{vault://[^}]*}") do
        found[#found + 1] = reference
    end
    return found
end

-- The names of blocks that should have been asked for, and were not.
function _M.left()
    local names = {}
    for _, block in ipairs(BLOCKS) do
        if not block.not_run and not asked[block[1]] then
            names[#names + 1] = block[1]
        end
    end
    return names
end

return _M
