#include "compile.h"

#include <time.h>

#include "scenario.h"

/* Policies with their one mistake behind an `@`: refused when they are to be
 * attached, taken when only the structure counts. */
typedef struct attach_row {
    int32_t type;
    const char *text, *message;
    /* How the structural form then answers this caller and resource. */
    const char *caller, *resource;
    int32_t outcome;
} attach_row;

static void take_mark(char *json, uint32_t *line, uint32_t *column) {
    *line = *column = 1;
    char *mark = strchr(json, '@');
    for (const char *c = json; c < mark; c++) {
        *line += *c == '\n';
        *column = *c == '\n' ? 1 : *column + 1;
    }
    memmove(mark, mark + 1, strlen(mark));
}

static void check_attach(const attach_row *row) {
    uint32_t line, column;
    postern_error error = {.message = ""};
    char text[512];
    snprintf(text, sizeof text, "%s", row->text);
    take_mark(text, &line, &column);
    postern_options options = {.policy_type = row->type};
    postern_builder *builder = postern_builder_new(&options, NULL);
    int status = add_policy(builder, text, &error);
    postern_builder_free(builder);
    CHECK_ROW(status == POSTERN_ATTACH && error.status == status, row->text);
    CHECK_ROW(error.line == line && error.column == column, row->text);
    CHECK_TEXT(error.message, row->message);
    options.strictness = POSTERN_STRUCTURAL;
    postern_set *set = set_of(&options, text);
    if (set == NULL) return;
    postern_request *request =
        request_of(set, row->caller, "execute-api:Invoke", row->resource);
    put_key(request, set, "aws:username", "alice");
    put_key(request, set, "n", "5");
    CHECK_ROW(postern_evaluate(set, request, NULL) == row->outcome, row->text);
    postern_request_free(request);
    postern_set_free(set);
}

static void check_attach_table(const attach_row *rows, size_t count) {
    for (size_t i = 0; i < count; i++) check_attach(&rows[i]);
}

#define CHECK_TABLE(rows) check_attach_table(rows, sizeof rows / sizeof *rows)

#define POLICY(statement) "{'Version':'2012-10-17','Statement':" statement "}"
#define ALLOW(rest) POLICY("{'Effect':'Allow','Action':'*'," rest "}")
#define DENY(rest) POLICY("{'Effect':'Deny','Action':'*'," rest "}")

enum { YES = POSTERN_ALLOWED, NO = POSTERN_IMPLICITLY_DENIED, DENIED = POSTERN_EXPLICITLY_DENIED };

/* ---- Attach errors -------------------------------------------------------- */

static void principals_to_attach(void) {
    static const attach_row rows[] = {
        {POSTERN_RESOURCE, ALLOW("'Resource':'*','NotPrincipal':@{'AWS':'444455556666'}"),
         "statement 1: NotPrincipal with Allow: it never matches; use Principal with a condition "
         "instead",
         ALICE, METHOD, NO},
        {POSTERN_ENDPOINT, ALLOW("'Resource':'*','NotPrincipal':@'*'"),
         "statement 1: NotPrincipal with Allow: it never matches; use Principal with a condition "
         "instead",
         ALICE, METHOD, NO},
        {POSTERN_RESOURCE, ALLOW("'Resource':'*','Principal':{'AWS':@'arn:aws:iam::111122223333:user/*'}"),
         "statement 1: wildcard in principal `arn:aws:iam::111122223333:user/*`: name the "
         "principal, or use \"*\" with a condition on aws:PrincipalArn",
         ALICE, METHOD, NO},
        {POSTERN_RESOURCE, ALLOW("'Resource':'*','Principal':{'AWS':['x',@'11112222333?']}"),
         "statement 1: wildcard in principal `11112222333?`: name the principal, or use \"*\" with "
         "a condition on aws:PrincipalArn",
         ALICE, METHOD, NO},
        {POSTERN_RESOURCE, ALLOW("'Resource':'*','Principal':{'Service':@'*'}"),
         "statement 1: wildcard in principal `*`: name the principal, or use \"*\" with a "
         "condition on aws:PrincipalArn",
         "sns.amazonaws.com", METHOD, NO},
        /* One who never matches exempts nobody. */
        {POSTERN_RESOURCE, DENY("'Resource':'*','NotPrincipal':{'AWS':@'arn:aws:iam::111122223333:*'}"),
         "statement 1: wildcard in principal `arn:aws:iam::111122223333:*`: name the principal, or "
         "use \"*\" with a condition on aws:PrincipalArn",
         ALICE, METHOD, DENIED},
        {POSTERN_RESOURCE, ALLOW("'Resource':'*','Principal':{'AWS':@'arn:aws:iam::111122223333:user/${aws:username}'}"),
         "statement 1: variable in principal `arn:aws:iam::111122223333:user/${aws:username}`: "
         "name the principal",
         "arn:aws:iam::111122223333:user/alice", METHOD, NO},
        {POSTERN_TRUST, POLICY("{'Effect':'Deny','Action':'*','NotPrincipal':@{'AWS':'444455556666'}}"),
         "statement 1: NotPrincipal in a trust policy: name who may", ALICE, METHOD, DENIED},
    };
    CHECK_TABLE(rows);
}

static void actions_and_resources_to_attach(void) {
    static const attach_row rows[] = {
        {POSTERN_IDENTITY,
         POLICY("{'Effect':'Allow','Action':['execute-api:Invoke',@'a:${aws:username}'],'Resource':'*'}"),
         "statement 1: variable in Action `a:${aws:username}`: write the action out", ALICE, METHOD,
         YES},
        {POSTERN_IDENTITY,
         POLICY("{'Effect':'Deny','NotAction':@'${aws:username, `a`}','Resource':'*'}"),
         "statement 1: variable in NotAction `${aws:username, 'a'}`: write the action out", ALICE,
         METHOD, DENIED},
        /* A session policy wants six parts. The rest never matches. */
        {POSTERN_SESSION, ALLOW("'Resource':@'arn:aws:execute-api'"),
         "statement 1: incomplete ARN `arn:aws:execute-api`: a session policy needs all six parts, "
         "or \"*\"",
         ALICE, METHOD, NO},
        {POSTERN_SESSION, ALLOW("'Resource':@'arn:*'"),
         "statement 1: incomplete ARN `arn:*`: a session policy needs all six parts, or \"*\"",
         ALICE, METHOD, NO},
        {POSTERN_SESSION, ALLOW("'Resource':['" METHOD "',@'**']"),
         "statement 1: incomplete ARN `**`: a session policy needs all six parts, or \"*\"", ALICE,
         METHOD, YES},
        {POSTERN_SESSION, DENY("'NotResource':@'arn:aws:execute-api'"),
         "statement 1: incomplete ARN `arn:aws:execute-api`: a session policy needs all six parts, "
         "or \"*\"",
         ALICE, METHOD, DENIED},
        /* The short form belongs to the policy of an API. */
        {POSTERN_IDENTITY, ALLOW("'Resource':@'execute-api:/*'"),
         "statement 1: short form `execute-api:/*` outside an API's policy: write the whole ARN",
         ALICE, METHOD, NO},
        {POSTERN_ENDPOINT, ALLOW("'Principal':'*','Resource':@'execute-api:/dev/*'"),
         "statement 1: short form `execute-api:/dev/*` outside an API's policy: write the whole ARN",
         ALICE, METHOD, NO},
        {POSTERN_SCP, ALLOW("'Resource':@'execute-api:/*'"),
         "statement 1: short form `execute-api:/*` outside an API's policy: write the whole ARN",
         ALICE, METHOD, NO},
        {POSTERN_SESSION, ALLOW("'Resource':@'execute-api:/*'"),
         "statement 1: short form `execute-api:/*` outside an API's policy: write the whole ARN",
         ALICE, METHOD, NO},
        /* Variables live in the sixth part only and are text elsewhere. */
        {POSTERN_IDENTITY, ALLOW("'Resource':@'arn:aws:iam::${aws:username}:user/x'"),
         "statement 1: variable in `arn:aws:iam::${aws:username}:user/x` before the sixth part of "
         "the ARN: write that part out",
         ALICE, "arn:aws:iam::alice:user/x", NO},
        {POSTERN_IDENTITY, ALLOW("'Resource':@'arn:aws:iam::${aws:username}:user/x'"),
         "statement 1: variable in `arn:aws:iam::${aws:username}:user/x` before the sixth part of "
         "the ARN: write that part out",
         ALICE, "arn:aws:iam::${aws:username}:user/x", YES},
        {POSTERN_RESOURCE, ALLOW("'Principal':'*','NotResource':@'${aws:username}'"),
         "statement 1: variable in `${aws:username}` before the sixth part of the ARN: write that "
         "part out",
         ALICE, "alice", YES},
        {POSTERN_IDENTITY, ALLOW("'Resource':'*','Condition':{'StringLike':{@'${aws:username}':'*'}}"),
         "statement 1: variable in condition key `${aws:username}`: name the key", ALICE, METHOD, NO},
    };
    CHECK_TABLE(rows);
}

#define WHEN(operator, value) \
    ALLOW("'Resource':'*','Condition':{'" operator "':{'n':" value "}}")

static void values_to_attach(void) {
    /* The cell holds 5. A value that does not parse never matches. */
    static const attach_row rows[] = {
        {POSTERN_IDENTITY, WHEN("NumericEquals", "@'five'"),
         "statement 1: `five` is not a number: NumericEquals cannot compare it", ALICE, METHOD, NO},
        {POSTERN_IDENTITY, WHEN("numericequals", "[5,@'5 ']"),
         "statement 1: `5 ` is not a number: NumericEquals cannot compare it", ALICE, METHOD, YES},
        {POSTERN_IDENTITY, WHEN("NumericNotEquals", "@true"),
         "statement 1: `true` is not a number: NumericNotEquals cannot compare it", ALICE, METHOD,
         YES},
        {POSTERN_IDENTITY, WHEN("NumericLessThan", "@'${aws:username}'"),
         "statement 1: variable in `${aws:username}`: NumericLessThan takes none, write a number",
         ALICE, METHOD, NO},
        {POSTERN_IDENTITY, WHEN("DateGreaterThan", "@'2020-02-30'"),
         "statement 1: `2020-02-30` is not a date: DateGreaterThan cannot compare it", ALICE, METHOD,
         NO},
        {POSTERN_IDENTITY, WHEN("DateNotEquals", "@''"),
         "statement 1: `` is not a date: DateNotEquals cannot compare it", ALICE, METHOD, YES},
        {POSTERN_IDENTITY, WHEN("Bool", "@'yes'"),
         "statement 1: `yes` is not true or false: Bool cannot compare it", ALICE, METHOD, NO},
        {POSTERN_IDENTITY, WHEN("Bool", "@1"),
         "statement 1: `1` is not true or false: Bool cannot compare it", ALICE, METHOD, NO},
        {POSTERN_IDENTITY, WHEN("Bool", "@'${n}'"),
         "statement 1: variable in `${n}`: Bool takes none, write true or false", ALICE, METHOD, NO},
        {POSTERN_IDENTITY, WHEN("Null", "@'no'"),
         "statement 1: `no` is not true or false: Null cannot compare it", ALICE, METHOD, NO},
        {POSTERN_IDENTITY, WHEN("BinaryEquals", "@'QQ='"),
         "statement 1: `QQ=` is not base64: BinaryEquals cannot compare it", ALICE, METHOD, NO},
        {POSTERN_IDENTITY, WHEN("IpAddress", "['10.0.0.0/8',@'10.0.0.0/33']"),
         "statement 1: `10.0.0.0/33` is not an address or a CIDR range: IpAddress cannot compare it",
         ALICE, METHOD, NO},
        {POSTERN_IDENTITY, WHEN("NotIpAddress", "@'*'"),
         "statement 1: `*` is not an address or a CIDR range: NotIpAddress cannot compare it", ALICE,
         METHOD, YES},
        {POSTERN_IDENTITY, WHEN("ForAllValues:IpAddressIfExists", "@'${aws:SourceIp}'"),
         "statement 1: variable in `${aws:SourceIp}`: IpAddress takes none, write an address or a "
         "CIDR range",
         ALICE, METHOD, NO},
        {POSTERN_IDENTITY, WHEN("ArnLike", "@'*'"),
         "statement 1: `*` is not an ARN: ArnLike cannot compare it", ALICE, METHOD, NO},
        {POSTERN_IDENTITY, WHEN("ArnNotEquals", "@'arn:aws:iam::1'"),
         "statement 1: `arn:aws:iam::1` is not an ARN: ArnNotEquals cannot compare it", ALICE,
         METHOD, YES},
    };
    CHECK_TABLE(rows);
}

static void organisation_policies_to_attach(void) {
    static const attach_row rows[] = {
        {POSTERN_RCP, "{'Statement':@{'Effect':'Deny','Action':'s3:*','Resource':'*','Principal':'*'}}",
         "statement 1: an RCP needs \"Version\": \"2012-10-17\"", ALICE, METHOD, NO},
        {POSTERN_RCP, POLICY("@{'Effect':'Allow','Action':'execute-api:*','Resource':'*','Principal':'*'}"),
         "statement 1: an RCP holds Deny only: it never grants", ALICE, METHOD, YES},
        {POSTERN_RCP, POLICY("{'Effect':'Deny','Action':'execute-api:*','Resource':'*','Principal':@{'AWS':'111122223333'}}"),
         "statement 1: the Principal of an RCP is \"*\": use a condition", ALICE, METHOD, DENIED},
        {POSTERN_RCP, POLICY("{'Effect':'Deny','Action':'execute-api:*','Resource':'*','NotPrincipal':@{'AWS':'444455556666'}}"),
         "statement 1: the Principal of an RCP is \"*\": use a condition", ALICE, METHOD, DENIED},
        {POSTERN_RCP, POLICY("{'Effect':'Deny','NotAction':@'s3:*','Resource':'*','Principal':'*'}"),
         "statement 1: an RCP names the service in its Action: \"s3:*\"", ALICE, METHOD, DENIED},
        {POSTERN_RCP, POLICY("{'Effect':'Deny','Action':@'*','Resource':'*','Principal':'*'}"),
         "statement 1: an RCP names the service in its Action: \"s3:*\"", ALICE, METHOD, DENIED},
    };
    CHECK_TABLE(rows);
    /* The built-in one is the exception. */
    postern_set *set = set_of_type(POSTERN_RCP, POSTERN_ATTACHABLE,
                                   ALLOW("'Resource':'*','Principal':'*'"));
    CHECK(decide_plain(set, ALICE, "s3:GetObject", METHOD).outcome == POSTERN_ALLOWED);
    postern_set_free(set);
}

/* In Version 2008-10-17 a `${` is text, so none of it is a variable. */
static void old_policies_have_no_variables_to_refuse(void) {
    static const char *const rows[] = {
        "'Action':'a:${x}','Resource':'*'",
        "'Action':'*','Resource':'arn:aws:iam::${x}:user/y'",
        "'Action':'*','Resource':'*','Condition':{'StringEquals':{'${x}':'${y}'}}",
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char text[256];
        snprintf(text, sizeof text, "{'Statement':{'Effect':'Allow',%s}}", rows[i]);
        postern_set *set = set_of_type(POSTERN_IDENTITY, POSTERN_ATTACHABLE, text);
        CHECK_ROW(set != NULL && postern_set_find_key(set, "x", 1) == -1, text);
        CHECK_ROW(set != NULL && postern_set_find_key(set, "y", 1) == -1, text);
        postern_set_free(set);
    }
}

/* ---- Sizes ---------------------------------------------------------------- */

/* Adds a policy whose Sid is `filler`, padded with x to so many bytes. */
static int add_filled(int32_t type, const char *filler, size_t count, const char *spaces,
                      postern_error *error) {
    postern_options options = {.policy_type = type};
    postern_builder *builder = postern_builder_new(&options, error);
    size_t size = 65536;
    char *json = malloc(size);
    writer w = {json, size, 0};
    bool names = type == POSTERN_RCP || type >= POSTERN_RESOURCE;
    writef(&w, "{\"Version\":\"2012-10-17\",\"Statement\":{\"Effect\":\"Deny\",%s\"Action\":\"s3:*\","
               "\"Resource\":\"*\",\"Sid\":\"%s",
           names ? "\"Principal\":\"*\"," : "", filler);
    /* What the counted text is so far: code points without the spaces. */
    size_t points = 0;
    for (size_t i = 0; i < w.length; i++) points += ((unsigned char)json[i] & 0xC0) != 0x80;
    size_t x = count - points - strlen("\"}}") - strlen(spaces);
    for (size_t i = 0; i < x; i++) json[w.length++] = 'x';
    writef(&w, "\"}%s}", spaces);
    int status = postern_builder_add(builder, "p", 1, json, w.length, error);
    free(json);
    postern_builder_free(builder);
    return status;
}

static void sizes_are_exact(void) {
    static const struct {
        int32_t type;
        size_t limit;
        bool spaces_count;
    } rows[] = {
        {POSTERN_IDENTITY, 10240, false}, {POSTERN_BOUNDARY, 6144, false},
        {POSTERN_SESSION, 2048, true},    {POSTERN_SCP, 10240, true},
        {POSTERN_RCP, 5120, true},        {POSTERN_ENDPOINT, 20480, true},
        {POSTERN_TRUST, 8192, false},     {POSTERN_GATEWAY_ENDPOINT, 20480, true},
    };
    /* Text in which a careless count goes wrong: quotes and spaces inside
     * strings, backslashes before quotes, characters of several bytes. */
    static const char *const fillers[] = {
        "", "a b\\t \\\" c", "\\\\", "\\\\\\\"  \\\\", "\\u0020", "\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80",
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const char *name = postern_policy_type_name(rows[i].type);
        for (size_t f = 0; f < sizeof fillers / sizeof *fillers; f++) {
            postern_error error = {.message = ""};
            char message[128];
            size_t limit = rows[i].limit;
            CHECK_ROW(add_filled(rows[i].type, fillers[f], limit, "", &error) == POSTERN_OK, name);
            CHECK_ROW(add_filled(rows[i].type, fillers[f], limit + 1, "", &error) == POSTERN_ATTACH,
                      name);
            snprintf(message, sizeof message,
                     "%zu characters, where a policy of type %s may have %zu: split it", limit + 1,
                     name, limit);
            CHECK_TEXT(error.message, message);
            CHECK_ROW(error.line == 1 && error.column == 1, name);
            /* Four characters of white space between the tokens. */
            int status = add_filled(rows[i].type, fillers[f], limit + 4, " \t\r\n", &error);
            CHECK_ROW(status == (rows[i].spaces_count ? POSTERN_ATTACH : POSTERN_OK), name);
            CHECK_ROW(add_filled(rows[i].type, fillers[f], limit, " \t\r\n", &error) == POSTERN_OK,
                      name);
            status = add_filled(rows[i].type, fillers[f], limit + 5, " \t\r\n", &error);
            CHECK_ROW(status == POSTERN_ATTACH, name);
        }
    }
    /* The policy of an API has no limit that every account shares. */
    postern_error error;
    CHECK(add_filled(POSTERN_RESOURCE, "", 30000, "", &error) == POSTERN_OK);
}

/* ---- Incomplete ARNs ------------------------------------------------------ */

static void incomplete_arns_by_type(void) {
    static const struct {
        const char *pattern, *resource;
        bool filled, as_written; /* does it match when filled, when not? */
    } rows[] = {
        {"arn:aws:execute-api", METHOD, true, false},
        {"arn:aws:execute-api:us-east-1", METHOD, true, false},
        {"arn:aws:execute-api:eu-west-1", METHOD, false, false},
        {"arn:aws:execute-api:*", METHOD, true, true},
        {"arn", METHOD, true, false},
        {"ar?", METHOD, true, false},
        {"**", METHOD, true, true},
        {"arn:aws:execute", METHOD, false, false},
        {"*", METHOD, true, true},
        {"", METHOD, false, false},
        {"arn:aws:s3", "arn:aws:s3", false, true}, /* either reading */
        {"arn:aws:s3", "arn:aws:s3:x:y", false, false},
        {"arn:aws:s3:x:y", "arn:aws:s3:x:y:z", true, false},
        {"*:abc/dev/GET/pets", METHOD, true, true},
    };
    for (int32_t type = POSTERN_IDENTITY; type <= POSTERN_GATEWAY_ENDPOINT; type++) {
        bool fills = type == POSTERN_IDENTITY || type == POSTERN_BOUNDARY || type == POSTERN_SCP;
        bool names = type == POSTERN_RCP || type >= POSTERN_RESOURCE;
        for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
            for (int not_resource = 0; not_resource < 2; not_resource++) {
                char text[512];
                bool matches = rows[i].as_written || (fills && rows[i].filled);
                if (type == POSTERN_SESSION) matches = strcmp(rows[i].pattern, "*") == 0;
                snprintf(text, sizeof text, "{'Statement':{'Effect':'Allow','Action':'*',%s'%s':'%s'}}",
                         names ? "'Principal':'*'," : "", not_resource ? "NotResource" : "Resource",
                         rows[i].pattern);
                postern_set *set = set_of_type(type, POSTERN_STRUCTURAL, text);
                postern_decision decision = decide_plain(set, ALICE, "x:y", rows[i].resource);
                CHECK_ROW((decision.outcome == POSTERN_ALLOWED) == (matches != (not_resource == 1)),
                          text);
                postern_set_free(set);
            }
        }
    }
}

/* ---- The short form ------------------------------------------------------- */

static bool short_form_matches(const char *api_arn, const char *rest, const char *resource) {
    postern_options options = {.policy_type = POSTERN_RESOURCE, .api_arn = api_arn};
    if (api_arn != NULL) options.api_arn_length = strlen(api_arn);
    char text[512];
    snprintf(text, sizeof text,
             POLICY("{'Effect':'Allow','Action':'*','Principal':'*','Resource':'execute-api:/%s'}"),
             rest);
    postern_set *set = set_of(&options, text);
    postern_request *request = request_of(set, NULL, "execute-api:Invoke", resource);
    put_key(request, set, "aws:username", "a:b/*");
    int32_t outcome = postern_evaluate(set, request, NULL);
    postern_request_free(request);
    postern_set_free(set);
    return outcome == POSTERN_ALLOWED;
}

#define API "arn:aws:execute-api:us-east-1:111122223333:abc"

static void short_form_of_a_known_api(void) {
    static const struct {
        const char *rest, *resource;
        bool matches;
    } rows[] = {
        {"*", API "/dev/GET/pets", true},
        {"*", API "/", true},
        {"*", API, false},
        {"*", API "d/dev/GET/pets", false},
        {"dev/GET/pets", API "/dev/GET/pets", true},
        {"dev/GET/pets", API "/dev/GET/pets/1", false},
        {"dev/*/p?ts", API "/dev/GET/pets", true},
        {"dev/*", "arn:aws:execute-api:us-east-1:111122223333:xyz/dev/GET/pets", false},
        {"dev/*", "arn:aws:execute-api:eu-west-1:111122223333:abc/dev/GET/pets", false},
        {"dev/*", "arn:aws:execute-api:us-east-1:444455556666:abc/dev/GET/pets", false},
        {"dev/GET/${aws:username}", API "/dev/GET/a:b/*", true},
        {"dev/GET/${aws:username}", API "/dev/GET/a:b/c", false},
        {"", API "/", true},
        {"", API "/dev", false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        CHECK_ROW(short_form_matches(API, rows[i].rest, rows[i].resource) == rows[i].matches,
                  rows[i].rest);
    }
}

/* Any API, but only as an API: no path may pass for the ARN's own parts. */
static void short_form_of_any_api(void) {
    static const struct {
        const char *rest, *resource;
        bool matches;
    } rows[] = {
        {"dev/GET/pets", "arn:aws:execute-api:us-east-1:111122223333:abc/dev/GET/pets", true},
        {"dev/GET/pets", "arn:aws-cn:execute-api:cn-north-1:444455556666:xyz/dev/GET/pets", true},
        {"dev/GET/pets", "arn:aws:execute-api:us-east-1:111122223333:xyz/other/dev/GET/pets", false},
        {"dev/GET/pets", "arn:aws:execute-api:us-east-1:111122223333:xyz/other/GET/abc/dev/GET/pets", false},
        {"dev/GET/pets", "arn:aws:execute-api:us-east-1:111122223333:a:b/dev/GET/pets", false},
        {"dev/GET/pets", "arn:aws:execute-api:us-east-1:111122223333:x/y:b/dev/GET/pets", false},
        {"dev/GET/pets", "arn:aws:execute-api:us-east-1:1:2:abc/dev/GET/pets", false},
        {"dev/GET/pets", "arn:aws:s3:::execute-api:r:a:b/dev/GET/pets", false},
        {"dev/GET/pets", "arn:aws:x:execute-api:r:a:b/dev/GET/pets", false},
        {"*", "arn:aws:execute-api:us-east-1:111122223333:abc/dev/GET/a:b/c", true},
        {"*/c", "arn:aws:execute-api:us-east-1:111122223333:abc/dev/GET/a:b/c", true},
        {"*", "arn:aws:execute-api:us-east-1:111122223333:abc", false},
        {"*", "arn:aws:s3:::bucket/key", false},
        {"dev/GET/${aws:username}", API "/dev/GET/a:b/*", true},
        {"dev/GET/${aws:username}", API "/dev/GET/a:b/x", false},
        {"dev/GET/${aws:username}", API "/x/dev/GET/a:b/*", false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        CHECK_ROW(short_form_matches(NULL, rows[i].rest, rows[i].resource) == rows[i].matches,
                  rows[i].resource);
    }
}

/* Only text that starts with the whole of `execute-api:/` is the short form. */
static void nearly_the_short_form_is_not(void) {
    static const char *const rows[] = {"execute-api:*", "execute-api:", "Execute-Api:/*",
                                       "execute-api/*", " execute-api:/*"};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char text[256];
        snprintf(text, sizeof text, ALLOW("'Principal':'*','Resource':'%s'"), rows[i]);
        postern_options options = {.policy_type = POSTERN_RESOURCE,
                                   .api_arn = API, .api_arn_length = strlen(API)};
        postern_set *set = set_of(&options, text);
        CHECK_ROW(decide_plain(set, NULL, "a:b", METHOD).outcome == POSTERN_IMPLICITLY_DENIED,
                  rows[i]);
        postern_set_free(set);
    }
}

/* ---- Limits --------------------------------------------------------------- */

static void variables_and_keys_have_limits(void) {
    enum { KEYS = POSTERN__KEYS + 1 };
    size_t size = KEYS * 16 + 256;
    char *json = malloc(size);
    for (uint32_t count = POSTERN__VARIABLES; count <= POSTERN__VARIABLES + 1; count++) {
        writer w = {json, size, 0};
        postern_error error = {.message = ""};
        postern_builder *builder = postern_builder_new(NULL, NULL);
        writef(&w, "{'Version':'2012-10-17','Statement':{'Effect':'Allow','Action':'*',"
                   "'Resource':'*','Condition':{'StringLike':{'k':'");
        for (uint32_t i = 0; i < count; i++) writef(&w, "${a}");
        writef(&w, "'}}}}");
        bool over = count > POSTERN__VARIABLES;
        CHECK(add_policy(builder, json, &error) == (over ? POSTERN_LIMIT : POSTERN_OK));
        CHECK_TEXT(error.message, over ? "statement 1: more than 64 variables in a value, or more "
                                         "than 65536 condition keys in a set: use fewer"
                                       : "");
        postern_builder_free(builder);
    }
    for (uint32_t count = KEYS - 1; count <= KEYS; count++) {
        writer w = {json, size, 0};
        postern_error error = {.message = ""};
        postern_options options = {.strictness = POSTERN_STRUCTURAL};
        postern_builder *builder = postern_builder_new(&options, NULL);
        writef(&w, "{'Statement':{'Effect':'Allow','Action':'*','Resource':'*',"
                   "'Condition':{'Null':{");
        for (uint32_t i = 0; i < count; i++) writef(&w, "%s'%u':1", i > 0 ? "," : "", i);
        writef(&w, "}}}}");
        int status = add_policy(builder, json, &error);
        CHECK(status == (count == KEYS ? POSTERN_LIMIT : POSTERN_OK));
        CHECK(count < KEYS || error.column > 0);
        postern_set *set = postern_builder_build(builder, NULL);
        CHECK(postern_set_key_count(set) == (count == KEYS ? 0 : count));
        postern_set_free(set);
        postern_builder_free(builder);
    }
    free(json);
}

/* Wherever wildcards live, and not where they are text. */
static void patterns_have_a_limit(void) {
    static const struct {
        const char *before, *after;
        bool limited;
    } rows[] = {
        {"'Action':'", "','Resource':'*'}}", true},
        {"'Action':'*','Resource':'", "'}}", true},
        {"'Action':'*','Resource':'*','Condition':{'StringLike':{'k':'", "'}}}}", true},
        {"'Action':'*','Resource':'*','Condition':{'ArnLike':{'k':'::::::", "'}}}}", true},
        {"'Action':'*','Resource':'*','Condition':{'StringEquals':{'k':'", "'}}}}", false},
    };
    static char json[POSTERN__PATTERN_BYTES + 512], text[POSTERN__PATTERN_BYTES + 2];
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        for (size_t length = POSTERN__PATTERN_BYTES - 64; length < sizeof text; length += 65) {
            writer w = {json, sizeof json, 0};
            postern_error error = {.message = ""};
            postern_options options = {.strictness = POSTERN_STRUCTURAL};
            postern_builder *builder = postern_builder_new(&options, NULL);
            memset(text, 'a', length);
            text[length - 1] = '*';
            text[length] = '\0';
            writef(&w, "{'Statement':{'Effect':'Allow',%s%s%s", rows[i].before, text,
                   rows[i].after);
            bool over = rows[i].limited && length > POSTERN__PATTERN_BYTES;
            CHECK_ROW(add_policy(builder, json, &error) == (over ? POSTERN_LIMIT : POSTERN_OK),
                      rows[i].before);
            CHECK_ROW(!over || error.column > 0, rows[i].before);
            postern_builder_free(builder);
        }
    }
}

/* Long lists and large sets of ranges compile in little more than their size. */
static void long_lists_are_fast(void) {
    enum { VALUES = 20000 };
    static const char *const forms[] = {
        "'Action':['x'%s],'Resource':'*'}}", "'Action':'*','Resource':['x'%s]}}",
        "'Action':'*','Resource':'*','Condition':{'StringLike':{'k':['x'%s]}}}}",
        "'Action':'*','Resource':'*','Condition':{'ArnLike':{'k':['x'%s]}}}}",
        "'Action':'*','Resource':'*','Condition':{'IpAddress':{'k':['x'%s]}}}}",
    };
    char *values = malloc(VALUES * 64), *json = malloc(VALUES * 64 + 256);
    for (size_t f = 0; f < sizeof forms / sizeof *forms; f++) {
        writer v = {values, VALUES * 64, 0}, w = {json, VALUES * 64 + 256, 0};
        for (uint32_t i = 0; i < VALUES; i++) {
            if (f == 4) writef(&v, ",'%u.%u.%u.0/24'", 1 + i % 200, i / 200 % 256, i % 7);
            else writef(&v, ",'a:*:${k}:$%u:%u:*'", i, i);
        }
        writef(&w, "{'Version':'2012-10-17','Statement':{'Effect':'Allow',");
        char *form = json_of(forms[f]);
        size_t cut = strcspn(form, "%");
        writef(&w, "%.*s%s%s", (int)cut, form, values, form + cut + 2);
        free(form);
        clock_t start = clock();
        postern_set *set = set_of_type(POSTERN_IDENTITY, POSTERN_STRUCTURAL, json);
        CHECK(clock() - start < 10 * CLOCKS_PER_SEC); /* milliseconds; but valgrind is slow */
        postern_set_free(set);
    }
    free(values);
    free(json);
}

/* ---- Case ----------------------------------------------------------------- */

static void letter_case_by_element(void) {
    static const struct {
        const char *statement;
        bool matches; /* caller ALICE, execute-api:Invoke, METHOD, aws:username alice */
    } rows[] = {
        {"'Action':'EXECUTE-api:inVOKE','Resource':'*'", true},
        {"'Action':'Execute-Api:Inv*','Resource':'*'", true},
        {"'NotAction':'EXECUTE-API:*','Resource':'*'", false},
        {"'Action':'*','Resource':'arn:aws:execute-api:us-east-1:111122223333:abc/dev/get/pets'", false},
        {"'Action':'*','Resource':'ARN:aws:execute-api:us-east-1:111122223333:abc/*'", false},
        {"'Action':'*','Resource':'*','Condition':{'STRINGEQUALS':{'AWS:UserName':'alice'}}", true},
        {"'Action':'*','Resource':'*','Condition':{'StringEquals':{'aws:username':'Alice'}}", false},
        {"'Action':'*','Resource':'*','Condition':{'StringEqualsIgnoreCase':{'aws:username':'ALICE'}}", true},
        {"'Action':'*','Resource':'*','Condition':{'stringlikeifexists':{'aws:username':'A*'}}", false},
        {"'Action':'*','Resource':'*','Condition':{'StringEquals':{'aws:username':'${AWS:USERNAME}'}}", true},
        {"'Action':'*','Resource':'*','Condition':{'StringEquals':{'aws:username':'${x, `Alice`}'}}", false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char text[512];
        snprintf(text, sizeof text, "{'Version':'2012-10-17','Statement':{'Effect':'Allow',%s}}",
                 rows[i].statement);
        postern_set *set = set_of_type(POSTERN_IDENTITY, POSTERN_ATTACHABLE, text);
        postern_request *request = request_of(set, ALICE, "execute-API:Invoke", METHOD);
        put_key(request, set, "aws:username", "alice");
        CHECK_ROW((postern_evaluate(set, request, NULL) == POSTERN_ALLOWED) == rows[i].matches, text);
        postern_request_free(request);
        postern_set_free(set);
    }
}

TEST_MAIN(RUN(principals_to_attach); RUN(actions_and_resources_to_attach); RUN(values_to_attach);
          RUN(organisation_policies_to_attach); RUN(old_policies_have_no_variables_to_refuse);
          RUN(sizes_are_exact); RUN(incomplete_arns_by_type); RUN(short_form_of_a_known_api);
          RUN(short_form_of_any_api); RUN(nearly_the_short_form_is_not);
          RUN(variables_and_keys_have_limits); RUN(patterns_have_a_limit);
          RUN(long_lists_are_fast);
          RUN(letter_case_by_element))
