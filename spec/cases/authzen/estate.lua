-- The fixture of the AuthZEN certification scenario: two users, two records, three actions.
account "111122223333"
region "eu-central-1"

group "staff" { policies = "staff.json" }
group "editors" { policies = "editors.json" }

principal "alice" { arn = "arn:aws:iam::111122223333:user/alice", groups = { "staff", "editors" } }
principal "bob" { arn = "arn:aws:iam::111122223333:user/bob", groups = { "staff" } }
