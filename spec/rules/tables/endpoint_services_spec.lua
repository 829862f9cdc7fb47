local plain = require("postern.host.plain")
local rules = require("postern.rules")


-- Action prefix and the suffixes of its service names, as the guides have them.
local EXPECTED = {
    ["execute-api"] = "execute-api", apigateway = "apigateway",
    ["application-autoscaling"] = "application-autoscaling",
    ["autoscaling-plans"] = "autoscaling-plans", cloudwatch = "monitoring", events = "events",
    logs = "logs", codebuild = "codebuild", codecommit = "codecommit git-codecommit",
    autoscaling = "autoscaling", elasticfilesystem = "elasticfilesystem",
    elasticloadbalancing = "elasticloadbalancing", ecr = "ecr.api ecr.dkr",
    elasticmapreduce = "elasticmapreduce", firehose = "kinesis-firehose",
    kinesis = "kinesis-streams", rekognition = "rekognition",
    sagemaker = "sagemaker.api sagemaker.runtime notebook", secretsmanager = "secretsmanager",
    sts = "sts", sns = "sns", sqs = "sqs", states = "states", s3 = "s3",
    dynamodb = "dynamodb dynamodb-streams", athena = "athena", auditmanager = "auditmanager",
    rds = "rds", ["rds-data"] = "rds-data", ["acm-pca"] = "acm-pca",
    clouddirectory = "clouddirectory", cloudhsm = "cloudhsmv2",
    codeartifact = "codeartifact.api codeartifact.repositories", codedeploy = "codedeploy",
    comprehend = "comprehend", profile = "profile", dataexchange = "dataexchange", ec2 = "ec2",
    imagebuilder = "imagebuilder", elasticbeanstalk = "elasticbeanstalk", ecs = "ecs", fis = "fis",
    frauddetector = "frauddetector", kendra = "kendra", kms = "kms", cassandra = "cassandra",
    lambda = "lambda", ["license-manager"] = "license-manager",
    lookoutequipment = "lookoutequipment", qldb = "qldb.session", redshift = "redshift",
    ssm = "ssm", textract = "textract", transcribe = "transcribe",
}


describe("the table of endpoint services", function()
    local pack = assert(rules.load("tables", "endpoint_services", plain.read))
    local data = pack.data

    it("is a table pack that any configuration suits", function()
        assert.equal("endpoint_services", pack.name)
        assert.is_true(pack.check({}))
    end)

    it("has every prefix with its suffixes, and no other", function()
        local found = {}
        for _, service in ipairs(data.services) do
            local suffixes = table.concat(service.suffixes, " ")
            local before = found[service.prefix]
            found[service.prefix] = before and before .. " " .. suffixes or suffixes
        end
        assert.same(EXPECTED, found)
    end)

    it("names every service and every suffix once", function()
        local names, suffixes = {}, {}
        for _, service in ipairs(data.services) do
            assert.is_nil(names[service.name])
            names[service.name] = true
            for _, suffix in ipairs(service.suffixes) do
                assert.is_nil(suffixes[suffix], suffix)
                suffixes[suffix] = true
            end
        end
        -- One cannot both have policies and not have them.
        for _, suffix in ipairs(data.without_policy) do
            assert.is_nil(suffixes[suffix], suffix)
        end
    end)

    it("lists those without policies, those with gateways and those of other Regions", function()
        assert.same({ "appmesh-envoy-management", "apprunner.requests", "appstream.api",
                      "appstream.streaming", "awsconnector", "transfer.server" },
            data.without_policy)
        assert.same({ "s3", "dynamodb" }, data.gateway)
        for _, suffix in ipairs(data.cross_region) do
            assert.not_equal("execute-api", suffix)
        end
        assert.equal(10, #data.cross_region)
    end)
end)
