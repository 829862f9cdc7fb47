-- How the policies of an S3 call combine, through a gateway endpoint or not: as the iam flow says.
--
-- Source: Amazon S3 User Guide, "How Amazon S3 authorizes a request" and "Bucket policies";
-- AWS PrivateLink Guide, "Gateway endpoints for Amazon S3". ARNs of buckets and objects name no
-- account: give `resourceAccount`, else the caller's own account counts as the owner. Nothing but a
-- bucket policy lets an anonymous caller in (ACLs are taken to be disabled, as they are in new
-- buckets). The policy of a gateway endpoint is compiled as one of the type `gateway_endpoint`.

-- Bytes ("Bucket policies and user policies": bucket policies are limited to 20 KB).
local LIMIT = 20 * 1024


-- Policies are attached to buckets and access points, never to objects. One bucket of the name is
-- there in a partition, so its ARN names neither Region nor account.
local function resource_policy(resource)
    local holder = resource:match("^(arn:[^:]*:s3:::[^/]+)")
        or resource:match("^(arn:[^:]*:s3:[^:]*:%d+:accesspoint/[^/]+)")
    return holder or resource, LIMIT
end


return {
    kind = "flows",
    name = "s3",
    api = 1,
    based_on = "iam",
    -- Service Authorization Reference: Amazon S3, S3 Object Lambda, S3 Express.
    services = { "s3", "s3-object-lambda", "s3express" },
    resource_policy = resource_policy,
}
