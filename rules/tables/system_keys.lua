-- The global condition keys whose values AWS makes up: ids of accounts, organisations, VPCs and
-- VPC endpoints. Endpoint policies take neither wildcards nor Numeric operators with them.
--
-- Source: AWS PrivateLink Guide, "Control access to VPC endpoints using endpoint policies", names
-- the rule and two of the keys; IAM User Guide, "AWS global condition context keys", says which
-- others hold such ids.

return {
    kind = "tables",
    name = "system_keys",
    api = 1,
    check = function()
        return true
    end,
    data = {
        "aws:PrincipalAccount", "aws:PrincipalOrgID", "aws:ResourceAccount", "aws:ResourceOrgID",
        "aws:SourceAccount", "aws:SourceOrgID", "aws:SourceVpc", "aws:SourceVpce",
        "aws:VpceAccount", "aws:VpceOrgID",
    },
}
