-- How the entities of the scenario become requests.
return {
    profile = "iam",
    url = "https://pdp.example.com",
    subjects = { user = "arn:aws:iam::111122223333:user/{id}" },
    actions = { read = "records:Read", write = "records:Write", delete = "records:Delete" },
    resources = { record = "arn:aws:records:eu-central-1:111122223333:record/{id}" },
    catalogue = {
        subjects = {
            { type = "user", id = "alice" },
            { type = "user", id = "bob", properties = { role = "admin" } },
        },
        resources = {
            { type = "record", id = "record-1", properties = { status = "active" } },
            { type = "record", id = "record-2", properties = { status = "archived" } },
        },
        actions = { { name = "read" }, { name = "write" }, { name = "delete" } },
    },
}
