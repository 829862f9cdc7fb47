-- The services that VPC endpoints lead to: their action prefixes, their service names, and whether
-- an endpoint of theirs can have a policy.
--
-- Sources: AWS PrivateLink Guide, "AWS services that integrate with AWS PrivateLink" (names of the
-- services and of those without policies), "Control access to VPC endpoints using endpoint
-- policies", "Gateway endpoints", "Access an AWS service using an interface VPC endpoint"
-- (other Regions). Suffixes that the guide does not print follow the services' general naming.
--
-- A service that is not listed counts as one whose endpoints can have a policy: what decides is the
-- attribute VpcEndpointPolicySupported of the endpoint service, which no table can follow.

local function check()
    return true
end


-- { name, action prefix, suffixes of its service names }
local SERVICES = {
    { "API Gateway, invocation", "execute-api", { "execute-api" } },
    { "API Gateway, management", "apigateway", { "apigateway" } },
    { "Application Auto Scaling", "application-autoscaling", { "application-autoscaling" } },
    { "Auto Scaling plans", "autoscaling-plans", { "autoscaling-plans" } },
    { "CloudWatch", "cloudwatch", { "monitoring" } },
    { "EventBridge", "events", { "events" } },
    { "CloudWatch Logs", "logs", { "logs" } },
    { "CodeBuild", "codebuild", { "codebuild" } },
    { "CodeCommit", "codecommit", { "codecommit", "git-codecommit" } },
    { "EC2 Auto Scaling", "autoscaling", { "autoscaling" } },
    { "Elastic File System", "elasticfilesystem", { "elasticfilesystem" } },
    { "Elastic Load Balancing", "elasticloadbalancing", { "elasticloadbalancing" } },
    { "Elastic Container Registry", "ecr", { "ecr.api", "ecr.dkr" } },
    { "EMR", "elasticmapreduce", { "elasticmapreduce" } },
    { "Data Firehose", "firehose", { "kinesis-firehose" } },
    { "Kinesis Data Streams", "kinesis", { "kinesis-streams" } },
    { "Rekognition", "rekognition", { "rekognition" } },
    { "SageMaker", "sagemaker", { "sagemaker.api", "sagemaker.runtime" } },
    { "SageMaker notebooks", "sagemaker", { "notebook" } },
    { "Secrets Manager", "secretsmanager", { "secretsmanager" } },
    { "Security Token Service", "sts", { "sts" } },
    { "SNS", "sns", { "sns" } },
    { "SQS", "sqs", { "sqs" } },
    { "Step Functions", "states", { "states" } },
    { "S3", "s3", { "s3" } },
    { "DynamoDB", "dynamodb", { "dynamodb", "dynamodb-streams" } },
    { "Athena", "athena", { "athena" } },
    { "Audit Manager", "auditmanager", { "auditmanager" } },
    { "RDS", "rds", { "rds" } },
    { "RDS Data API", "rds-data", { "rds-data" } },
    { "Private Certificate Authority", "acm-pca", { "acm-pca" } },
    { "Cloud Directory", "clouddirectory", { "clouddirectory" } },
    { "CloudHSM", "cloudhsm", { "cloudhsmv2" } },
    { "CodeArtifact", "codeartifact", { "codeartifact.api", "codeartifact.repositories" } },
    { "CodeDeploy", "codedeploy", { "codedeploy" } },
    { "Comprehend", "comprehend", { "comprehend" } },
    { "Connect Customer Profiles", "profile", { "profile" } },
    { "Data Exchange", "dataexchange", { "dataexchange" } },
    { "EC2", "ec2", { "ec2" } },
    { "EC2 Image Builder", "imagebuilder", { "imagebuilder" } },
    { "Elastic Beanstalk", "elasticbeanstalk", { "elasticbeanstalk" } },
    { "Elastic Container Service", "ecs", { "ecs" } },
    { "Fault Injection Service", "fis", { "fis" } },
    { "Fraud Detector", "frauddetector", { "frauddetector" } },
    { "Kendra", "kendra", { "kendra" } },
    { "Key Management Service", "kms", { "kms" } },
    { "Keyspaces", "cassandra", { "cassandra" } },
    { "Lambda", "lambda", { "lambda" } },
    { "License Manager", "license-manager", { "license-manager" } },
    { "Lookout for Equipment", "lookoutequipment", { "lookoutequipment" } },
    { "QLDB", "qldb", { "qldb.session" } },
    { "Redshift", "redshift", { "redshift" } },
    { "Systems Manager", "ssm", { "ssm" } },
    { "Textract", "textract", { "textract" } },
    { "Transcribe", "transcribe", { "transcribe" } },
}


local function rows(services)
    local list = {}
    for i, service in ipairs(services) do
        list[i] = { name = service[1], prefix = service[2], suffixes = service[3] }
    end
    return list
end


return {
    kind = "tables",
    name = "endpoint_services",
    api = 1,
    check = check,
    data = {
        services = rows(SERVICES),

        -- How service names are written; the first form that fits counts. A name that fits none is
        -- taken for a suffix by itself.
        forms = {
            "com.amazonaws.{region}.{suffix}",
            "aws.api.{region}.{suffix}",
            "aws.sagemaker.{region}.{suffix}",
            "com.amazonaws.{suffix}",
        },

        -- Services of other accounts and of the Marketplace. Their endpoints give full access, and
        -- their owners accept connections.
        foreign_forms = { "com.amazonaws.vpce.{region}.{suffix}" },

        -- Suffixes of AWS services whose endpoints cannot have a policy.
        without_policy = {
            "appmesh-envoy-management", "apprunner.requests", "appstream.api",
            "appstream.streaming", "awsconnector", "transfer.server",
        },

        -- Suffixes that gateway endpoints exist for.
        gateway = { "s3", "dynamodb" },

        -- Suffixes that an interface endpoint may lead to in another Region.
        cross_region = {
            "s3", "iam", "ecr.api", "ecr.dkr", "ecs", "kms", "lambda", "kinesis-firehose",
            "kinesisanalytics", "route53",
        },
    },
}
