#include "policy.h"

#include <time.h>

#include "failing_alloc.h"
#include "scenario.h"
#include "utf8.h"
#include "utf8.h"

/* Document and policy together, as the builder reads them. */
static int read_policy(const char *json, size_t length, int32_t type, postern_error *error) {
    postern_allocator allocator = postern__allocator(NULL);
    postern__policy policy;
    postern_document *document = postern_document_new(json, length, NULL, error);
    if (document == NULL) return error->status;
    int status = postern__policy_read(&policy, document, type, &allocator, error);
    if (status == POSTERN_OK) postern__policy_free(&policy);
    postern_document_free(document);
    return status;
}

/* Takes the mark `@` out and tells the line and column where it stood. */
static void take_mark(char *json, uint32_t *line, uint32_t *column) {
    *line = *column = 1;
    char *mark = strchr(json, '@');
    for (const char *c = json; c < mark; c++) {
        *line += *c == '\n';
        *column = *c == '\n' ? 1 : *column + 1;
    }
    memmove(mark, mark + 1, strlen(mark));
}

/* `text` is a policy with its one mistake behind an `@`. */
static void check_refused(int32_t type, const char *text, const char *message) {
    uint32_t line, column;
    postern_error error = {0};
    char *json = json_of(text);
    take_mark(json, &line, &column);
    int status = read_policy(json, strlen(json), type, &error);
    CHECK_ROW(status == POSTERN_STRUCTURE, text);
    CHECK_ROW(error.status == status, text);
    CHECK_ROW(error.line == line && error.column == column, text);
    CHECK_TEXT(error.message, message);
    if (error.line != line || error.column != column) {
        fprintf(stderr, "    %u:%u, not %u:%u\n", error.line, error.column, line, column);
    }
    free(json);
}

static void check_taken(int32_t type, const char *text) {
    postern_error error = {.message = ""};
    char *json = json_of(text);
    int status = read_policy(json, strlen(json), type, &error);
    CHECK_ROW(status == POSTERN_OK, text);
    CHECK_TEXT(error.message, "");
    free(json);
}

typedef struct refusal {
    const char *text, *message;
} refusal;

static void check_table(int32_t type, const refusal *rows, size_t count) {
    for (size_t i = 0; i < count; i++) check_refused(type, rows[i].text, rows[i].message);
}

#define CHECK_TABLE(type, rows) check_table(type, rows, sizeof rows / sizeof *rows)

/* ---- The policy ----------------------------------------------------------- */

static void documents_are_policies(void) {
    static const refusal rows[] = {
        {"@[]", "the document is a list: a policy is an object with a Statement"},
        {"\n  @null", "the document is null: a policy is an object with a Statement"},
        {"@true", "the document is a boolean: a policy is an object with a Statement"},
        {"@7", "the document is a number: a policy is an object with a Statement"},
        {"@'Statement'", "the document is a string: a policy is an object with a Statement"},
        {"@{}", "no Statement: add \"Statement\": [...]"},
        {" @{'Version':'2012-10-17','Id':'x'}", "no Statement: add \"Statement\": [...]"},
        {"{'Version':@'2012-10-18','Statement':[]}",
         "unknown Version `2012-10-18`: write \"2012-10-17\""},
        {"{'Version':@'2012-10-17 ','Statement':[]}",
         "unknown Version `2012-10-17 `: write \"2012-10-17\""},
        {"{'Version':@'','Statement':[]}", "unknown Version ``: write \"2012-10-17\""},
        {"{'Version':@20121017,'Statement':[]}",
         "unknown Version `20121017`: write \"2012-10-17\""},
        {"{'Version':@null,'Statement':[]}", "unknown Version `null`: write \"2012-10-17\""},
        {"{'Version':@['2012-10-17'],'Statement':[]}",
         "unknown Version `[\"2012-10-17\"]`: write \"2012-10-17\""},
        {"{'Id':@1,'Statement':[]}", "Id is a number: write a string"},
        {"{'Id':@null,'Statement':[]}", "Id is null: write a string"},
        {"{'Id':@['x'],'Statement':[]}", "Id is a list: write a string"},
        {"{'Statement':@'x'}", "Statement is a string: write an object or a list of objects"},
        {"{'Statement':@null}", "Statement is null: write an object or a list of objects"},
        {"{'Statement':@false}", "Statement is a boolean: write an object or a list of objects"},
        {"{'Statement':@1}", "Statement is a number: write an object or a list of objects"},
        {"{'Statement':[@'x']}", "statement 1: it is a string: write an object"},
        {"{'Statement':[@[]]}", "statement 1: it is a list: write an object"},
        {"{'Statement':[\n{'Effect':'Allow','Action':'*','Resource':'*'},\n @null]}",
         "statement 2: it is null: write an object"},
        /* The language has no such member; a name close to one is a hint. */
        {"{@'version':'2012-10-17','Statement':[]}",
         "unknown member `version`: did you mean `Version`?"},
        {"{@'Statements':[]}", "unknown member `Statements`: did you mean `Statement`?"},
        {"{@'Statmeent':[]}", "unknown member `Statmeent`: did you mean `Statement`?"},
        {"{@'ID':'x','Statement':[]}", "unknown member `ID`: did you mean `Id`?"},
        {"{@'Comment':'x','Statement':[]}",
         "unknown member `Comment`: a policy has no such element"},
        {"{'Statement':[],@'':1}", "unknown member ``: a policy has no such element"},
        {"{@'Effect':'Allow','Statement':[]}",
         "unknown member `Effect`: a policy has no such element"},
    };
    CHECK_TABLE(POSTERN_IDENTITY, rows);
}

static void syntax_and_repetition_come_from_the_document(void) {
    static const char *const rows[] = {
        "",
        "{",
        "{'Statement':[]} x",
        "{'Statement':[],'Statement':[]}",
        "{'Statement':[],'Stat\\u0065ment':[]}",
        "{'Statement':{'Effect':'Deny','Effect':'Allow','Action':'*','Resource':'*'}}",
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        postern_error error = {.message = ""};
        char *json = json_of(rows[i]);
        int status = read_policy(json, strlen(json), POSTERN_IDENTITY, &error);
        CHECK_ROW(status == POSTERN_SYNTAX && error.status == status, rows[i]);
        CHECK_ROW(error.line == 1 && error.column > 0 && error.message[0] != '\0', rows[i]);
        free(json);
    }
}

/* ---- Statements ----------------------------------------------------------- */

static void statements_have_their_elements(void) {
    static const refusal rows[] = {
        {"{'Statement':@{}}",
         "statement 1: no Effect: add \"Effect\": \"Allow\" or \"Deny\""},
        {"{'Statement':[@{'Action':'*','Resource':'*'}]}",
         "statement 1: no Effect: add \"Effect\": \"Allow\" or \"Deny\""},
        {"{'Statement':{'Effect':@'allow','Action':'*','Resource':'*'}}",
         "statement 1: Effect is `allow`: write \"Allow\" or \"Deny\", exactly so"},
        {"{'Statement':{'Effect':@'Allow ','Action':'*','Resource':'*'}}",
         "statement 1: Effect is `Allow `: write \"Allow\" or \"Deny\", exactly so"},
        {"{'Statement':{'Effect':@null,'Action':'*','Resource':'*'}}",
         "statement 1: Effect is `null`: write \"Allow\" or \"Deny\", exactly so"},
        {"{'Statement':{'Effect':@['Allow'],'Action':'*','Resource':'*'}}",
         "statement 1: Effect is `[\"Allow\"]`: write \"Allow\" or \"Deny\", exactly so"},
        {"{'Statement':{'Effect':@true,'Action':'*','Resource':'*'}}",
         "statement 1: Effect is `true`: write \"Allow\" or \"Deny\", exactly so"},
        {"{'Statement':@{'Effect':'Deny','Resource':'*'}}",
         "statement 1: neither Action nor NotAction: say what it is about"},
        {"{'Statement':@{'Effect':'Deny','NotAction':'*'}}",
         "statement 1: neither Resource nor NotResource: add one, such as \"Resource\": \"*\""},
        {"{'Statement':{'Effect':'Deny','Action':'*',@'NotAction':'*','Resource':'*'}}",
         "statement 1: both Action and NotAction: keep one of them"},
        {"{'Statement':{'NotAction':'*',\n@'Action':'*','Effect':'Deny','Resource':'*'}}",
         "statement 1: both Action and NotAction: keep one of them"},
        {"{'Statement':{'Effect':'Deny','Action':'*','NotResource':'*',@'Resource':'*'}}",
         "statement 1: both Resource and NotResource: keep one of them"},
        {"{'Statement':{'Principal':'*',@'NotPrincipal':'*','Effect':'Deny'}}",
         "statement 1: both Principal and NotPrincipal: keep one of them"},
        {"{'Statement':{'Sid':@1,'Effect':'Deny','Action':'*','Resource':'*'}}",
         "statement 1: Sid is a number: write a string"},
        {"{'Statement':{'Sid':@null,'Effect':'Deny','Action':'*','Resource':'*'}}",
         "statement 1: Sid is null: write a string"},
        {"{'Statement':{'Sid':'Read','Effect':@'','Action':'*','Resource':'*'}}",
         "statement `Read`: Effect is ``: write \"Allow\" or \"Deny\", exactly so"},
        {"{'Statement':{@'Actions':'*'}}",
         "statement 1: unknown member `Actions`: did you mean `Action`?"},
        {"{'Statement':{@'effect':'Allow'}}",
         "statement 1: unknown member `effect`: did you mean `Effect`?"},
        {"{'Statement':{@'SID':'x'}}", "statement 1: unknown member `SID`: did you mean `Sid`?"},
        {"{'Statement':{@'Principle':'*'}}",
         "statement 1: unknown member `Principle`: did you mean `Principal`?"},
        {"{'Statement':{@'Resoucre':'*'}}",
         "statement 1: unknown member `Resoucre`: did you mean `Resource`?"},
        {"{'Statement':{@'NotResources':'*'}}",
         "statement 1: unknown member `NotResources`: did you mean `NotResource`?"},
        {"{'Statement':{@'Conditions':{}}}",
         "statement 1: unknown member `Conditions`: did you mean `Condition`?"},
        {"{'Statement':{@'Because':'x'}}",
         "statement 1: unknown member `Because`: a statement has no such element"},
        {"{'Statement':{@'Version':'2012-10-17'}}",
         "statement 1: unknown member `Version`: a statement has no such element"},
        {"{'Statement':{'Sid':'S',@'':1}}",
         "statement `S`: unknown member ``: a statement has no such element"},
    };
    CHECK_TABLE(POSTERN_IDENTITY, rows);
}

/* ---- Types ---------------------------------------------------------------- */

/* Action and its like take text or a list of texts, whatever is in the list. */
static void lists_of_texts_hold_texts(void) {
    static const char *const elements[] = {"Action", "NotAction", "Resource", "NotResource"};
    static const struct {
        const char *value, *kind;
    } rows[] = {
        {"@null", "null"},           {"@true", "a boolean"},   {"@false", "a boolean"},
        {"@1.5", "a number"},        {"@{}", "an object"},     {"@{'a':'b'}", "an object"},
        {"['x',@null]", "null"},     {"[@['x']]", "a list"},   {"['x','y',@[]]", "a list"},
        {"['x',@1,'y']", "a number"}, {"[@{}]", "an object"},
    };
    for (size_t e = 0; e < sizeof elements / sizeof *elements; e++) {
        bool action = strstr(elements[e], "Action") != NULL;
        for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
            char text[256], message[256];
            snprintf(text, sizeof text, "{'Statement':{'Effect':'Allow','%s':'*','%s':%s}}",
                     action ? "Resource" : "Action", elements[e], rows[i].value);
            snprintf(message, sizeof message,
                     "statement 1: %s holds %s: write a string or a list of strings", elements[e],
                     rows[i].kind);
            check_refused(POSTERN_IDENTITY, text, message);
        }
    }
}

#define GRANT(rest) "{'Statement':{'Effect':'Allow','Action':'*','Resource':'*'," rest "}}"

static void principals_are_a_star_or_a_map(void) {
    static const refusal rows[] = {
        {GRANT("'Principal':@'x'"), "statement 1: Principal is a string other than \"*\": write "
                                    "\"*\" or an object such as {\"AWS\": \"...\"}"},
        {GRANT("'Principal':@'**'"), "statement 1: Principal is a string other than \"*\": write "
                                     "\"*\" or an object such as {\"AWS\": \"...\"}"},
        {GRANT("'NotPrincipal':@['*']"), "statement 1: NotPrincipal is a list: write \"*\" or an "
                                         "object such as {\"AWS\": \"...\"}"},
        {GRANT("'Principal':@null"),
         "statement 1: Principal is null: write \"*\" or an object such as {\"AWS\": \"...\"}"},
        {GRANT("'Principal':@3"),
         "statement 1: Principal is a number: write \"*\" or an object such as {\"AWS\": \"...\"}"},
        {GRANT("'Principal':@{}"),
         "statement 1: Principal names nobody: give it a member such as \"AWS\""},
        {GRANT("'NotPrincipal':@{}"),
         "statement 1: NotPrincipal names nobody: give it a member such as \"AWS\""},
        {GRANT("'Principal':{'AWS':@[]}"),
         "statement 1: Principal names nobody: the list is empty"},
        {GRANT("'Principal':{'AWS':'*','Service':@[]}"),
         "statement 1: Principal names nobody: the list is empty"},
        {GRANT("'Principal':{@'aws':'*'}"),
         "statement 1: unknown principal type `aws`: did you mean `AWS`?"},
        {GRANT("'Principal':{'AWS':'*',@'Services':'*'}"),
         "statement 1: unknown principal type `Services`: did you mean `Service`?"},
        {GRANT("'Principal':{@'CanonicalUsers':'*'}"),
         "statement 1: unknown principal type `CanonicalUsers`: did you mean `CanonicalUser`?"},
        {GRANT("'Principal':{@'Group':'*'}"), "statement 1: unknown principal type `Group`: use "
                                              "AWS, Service, Federated or CanonicalUser"},
        {GRANT("'Principal':{'AWS':@1}"),
         "statement 1: Principal holds a number: write a string or a list of strings"},
        {GRANT("'Principal':{'AWS':@{}}"),
         "statement 1: Principal holds an object: write a string or a list of strings"},
        {GRANT("'Principal':{'AWS':@null}"),
         "statement 1: Principal holds null: write a string or a list of strings"},
        {GRANT("'Principal':{'Federated':['x',@true]}"),
         "statement 1: Principal holds a boolean: write a string or a list of strings"},
        {GRANT("'NotPrincipal':{'CanonicalUser':[@['x']]}"),
         "statement 1: NotPrincipal holds a list: write a string or a list of strings"},
    };
    CHECK_TABLE(POSTERN_RESOURCE, rows);
}

static void conditions_are_operators_keys_values(void) {
    static const refusal rows[] = {
        {GRANT("'Condition':@[]"), "statement 1: Condition is a list: write an object of operators"},
        {GRANT("'Condition':@null"), "statement 1: Condition is null: write an object of operators"},
        {GRANT("'Condition':@'x'"),
         "statement 1: Condition is a string: write an object of operators"},
        {GRANT("'Condition':{'Bool':@[]}"), "statement 1: operator `Bool` holds a list: write an "
                                            "object of condition keys and values"},
        {GRANT("'Condition':{'bool':@'x'}"), "statement 1: operator `bool` holds a string: write "
                                             "an object of condition keys and values"},
        {GRANT("'Condition':{'Null':@null}"), "statement 1: operator `Null` holds null: write an "
                                              "object of condition keys and values"},
        {GRANT("'Condition':{'Bool':{@'':'true'}}"),
         "statement 1: a condition key is empty: name one such as aws:SourceIp"},
        {GRANT("'Condition':{'Bool':{'a':@null}}"),
         "statement 1: condition key `a` holds null: write a string, a number or a boolean, or a "
         "list of them"},
        {GRANT("'Condition':{'Bool':{'a':@{}}}"),
         "statement 1: condition key `a` holds an object: write a string, a number or a boolean, "
         "or a list of them"},
        {GRANT("'Condition':{'Bool':{'a':[true,'x',1,@[]]}}"),
         "statement 1: condition key `a` holds a list: write a string, a number or a boolean, or "
         "a list of them"},
        {GRANT("'Condition':{'Bool':{'a':[@null]}}"),
         "statement 1: condition key `a` holds null: write a string, a number or a boolean, or a "
         "list of them"},
        {GRANT("'Condition':{@'NullIfExists':{'a':true}}"),
         "statement 1: unknown operator `NullIfExists`: Null takes no IfExists"},
        {GRANT("'Condition':{@'ForAnyValue:nullifexists':{'a':true}}"),
         "statement 1: unknown operator `ForAnyValue:nullifexists`: Null takes no IfExists"},
        {GRANT("'Condition':{@'StringLikes':{'a':'b'}}"),
         "statement 1: unknown operator `StringLikes`: did you mean `StringLike`?"},
        {GRANT("'Condition':{@'ForAllValues:StringEqualIfExists':{'a':'b'}}"),
         "statement 1: unknown operator `ForAllValues:StringEqualIfExists`: did you mean "
         "`StringEquals`?"},
        {GRANT("'Condition':{@'IpAdress':{'a':'b'}}"),
         "statement 1: unknown operator `IpAdress`: did you mean `IpAddress`?"},
        {GRANT("'Condition':{@'StringEquals:ForAnyValue':{'a':'b'}}"),
         "statement 1: unknown operator `StringEquals:ForAnyValue`: the language has none of that "
         "name"},
        {GRANT("'Condition':{@'ForAllValues:ForAnyValue:StringEquals':{}}"),
         "statement 1: unknown operator `ForAllValues:ForAnyValue:StringEquals`: the language has "
         "none of that name"},
        {GRANT("'Condition':{@'StringEqualsIfExistsIfExists':{}}"),
         "statement 1: unknown operator `StringEqualsIfExistsIfExists`: the language has none of "
         "that name"},
        {GRANT("'Condition':{@'':{}}"),
         "statement 1: unknown operator ``: the language has none of that name"},
        {GRANT("'Condition':{@'IfExists':{}}"),
         "statement 1: unknown operator `IfExists`: the language has none of that name"},
        {GRANT("'Condition':{@' StringEquals':{}}"),
         "statement 1: unknown operator ` StringEquals`: did you mean `StringEquals`?"},
        {GRANT("'Condition':{'StringEquals':{'aws:Username':'a','b':'c',@'AWS:username':'d'}}"),
         "statement 1: condition key `AWS:username` appears twice, in different letter case: keep "
         "one"},
        /* Two pairs: the first repetition in the document is the one told. */
        {GRANT("'Condition':{'Bool':{'z':1,@'Z':1,'a':1,'A':1}}"),
         "statement 1: condition key `Z` appears twice, in different letter case: keep one"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        check_refused(POSTERN_IDENTITY, rows[i].text, rows[i].message);
    }
}

/* ---- Policy types --------------------------------------------------------- */

static void types_want_or_forbid_principals(void) {
    static const struct {
        int32_t type;
        bool names;
    } types[] = {
        {POSTERN_IDENTITY, false}, {POSTERN_BOUNDARY, false}, {POSTERN_SESSION, false},
        {POSTERN_SCP, false},      {POSTERN_RCP, true},       {POSTERN_RESOURCE, true},
        {POSTERN_ENDPOINT, true},  {POSTERN_TRUST, true},    {POSTERN_GATEWAY_ENDPOINT, true},
    };
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        int32_t type = types[i].type;
        const char *name = postern_policy_type_name(type);
        char message[200];
        if (types[i].names) {
            snprintf(message, sizeof message,
                     "statement 1: no Principal: a policy of type %s has to say who, such as "
                     "\"Principal\": \"*\"",
                     name);
            check_refused(type, "{'Statement':@{'Effect':'Deny','Action':'*','Resource':'*'}}",
                          message);
            check_taken(type, GRANT("'Principal':'*'"));
            check_taken(type, "{'Statement':{'Effect':'Deny','Action':'*','Resource':'*',"
                              "'NotPrincipal':{'AWS':'111122223333'}}}");
            continue;
        }
        snprintf(message, sizeof message,
                 "statement 1: Principal: a policy of type %s belongs to its principal; take it "
                 "out",
                 name);
        check_refused(type, GRANT("'Principal':@'*'"), message);
        snprintf(message, sizeof message,
                 "statement 1: NotPrincipal: a policy of type %s belongs to its principal; take it "
                 "out",
                 name);
        check_refused(type, GRANT("'NotPrincipal':@{'AWS':'*'}"), message);
        check_taken(type, GRANT("'Sid':''"));
    }
}

/* A trust policy is the one that may leave Resource out. */
static void only_trust_policies_lack_a_resource(void) {
    static const char bare[] = "{'Statement':@{'Effect':'Deny','Action':'*','Principal':'*'}}";
    for (int32_t type = POSTERN_RCP; type <= POSTERN_GATEWAY_ENDPOINT; type++) {
        if (type == POSTERN_TRUST) continue;
        check_refused(type, bare, "statement 1: neither Resource nor NotResource: add one, such as "
                                  "\"Resource\": \"*\"");
    }
    check_taken(POSTERN_TRUST, "{'Statement':{'Effect':'Deny','Action':'*','Principal':'*'}}");
    check_refused(POSTERN_TRUST, "{'Statement':@{'Effect':'Deny','Principal':'*'}}",
                  "statement 1: neither Action nor NotAction: say what it is about");
}

/* ---- What is legal -------------------------------------------------------- */

static void legal_forms_are_taken(void) {
    static const char *const rows[] = {
        "{'Statement':[]}",
        "{'Id':'','Version':'2008-10-17','Statement':[]}",
        GRANT("'Sid':'any text, here'"),
        GRANT("'Condition':{}"),
        GRANT("'Condition':{'StringEquals':{}}"),
        GRANT("'Condition':{'StringEquals':{'a':[]}}"),
        GRANT("'Condition':{'stringequals':{'a':'x'},'StringEquals':{'A':1},"
              "'ForAllValues:STRINGLIKEifexists':{'a':[true,1e3,'x']}}"),
        GRANT("'Condition':{'ForAnyValue:Null':{'a':'x'}}"),
        "{'Statement':{'Effect':'Deny','NotAction':[],'NotResource':[]}}",
        "{'Statement':{'NotResource':'','Effect':'Deny','NotAction':''}}",
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) check_taken(POSTERN_IDENTITY, rows[i]);
    check_taken(POSTERN_RESOURCE, GRANT("'Principal':{'AWS':['*'],'Service':'a','Federated':'b',"
                                        "'CanonicalUser':['c','d']}"));
}

static void drafts_say_what_stands_where(void) {
    postern_allocator allocator = postern__allocator(NULL);
    char *json = json_of("{'Version':'2012-10-17','Statement':[{'Effect':'Deny','NotPrincipal':'*',"
                         "'NotAction':['a','b'],'Resource':[]},{'Sid':'s','Effect':'Allow',"
                         "'Principal':'*','Action':'a','NotResource':'r','Condition':{}}]}");
    postern_document *document = postern_document_new(json, strlen(json), NULL, NULL);
    postern__policy policy;
    CHECK(postern__policy_read(&policy, document, POSTERN_RESOURCE, &allocator, NULL) == POSTERN_OK);
    CHECK(policy.variables && policy.drafts.count == 2);
    const postern__draft *first = POSTERN__AT(&policy.drafts, postern__draft, 0);
    const postern__draft *second = first + 1;
    CHECK(first->effect == POSTERN_DENY && first->not_principal && first->not_action);
    CHECK(!first->not_resource && first->sid == 0 && first->condition == 0);
    CHECK(second->effect == POSTERN_ALLOW && !second->not_principal && !second->not_action);
    CHECK(second->not_resource && second->sid != 0 && second->condition != 0);
    /* Walking a list, a single value and an empty list. */
    uint32_t a = postern__policy_first(&policy, first->action);
    uint32_t b = postern__policy_next(&policy, first->action, a);
    CHECK(a == first->action + 1 && b == a + 1);
    CHECK(postern__policy_next(&policy, first->action, b) == 0);
    CHECK(postern__policy_first(&policy, first->resource) == 0);
    CHECK(postern__policy_first(&policy, second->action) == second->action);
    CHECK(postern__policy_next(&policy, second->action, second->action) == 0);
    postern__policy_free(&policy);
    postern_document_free(document);
    free(json);
}

static void types_have_names(void) {
    CHECK_TEXT(postern_policy_type_name(POSTERN_IDENTITY), "identity");
    CHECK_TEXT(postern_policy_type_name(POSTERN_RCP), "rcp");
    CHECK_TEXT(postern_policy_type_name(POSTERN_TRUST), "trust");
    CHECK_TEXT(postern_policy_type_name(POSTERN_GATEWAY_ENDPOINT), "gateway_endpoint");
    CHECK(postern_policy_type_name(POSTERN_GATEWAY_ENDPOINT + 1) == NULL);
    CHECK(postern_policy_type_name(-1) == NULL);
}

/* ---- Messages ------------------------------------------------------------- */

/* One line of UTF-8 that no terminal obeys, whatever the policy holds. */
static void check_message(const postern_error *error, const char *row) {
    const char *end = memchr(error->message, '\0', sizeof error->message);
    CHECK_ROW(end != NULL && end > error->message, row);
    size_t length = end == NULL ? 0 : (size_t)(end - error->message);
    CHECK_ROW(postern__utf8_valid((postern_span){error->message, length}), row);
    for (size_t i = 0; i < length; i++) {
        unsigned char c = (unsigned char)error->message[i];
        unsigned char next = (unsigned char)error->message[i + 1];
        CHECK_ROW(c >= 0x20 && c != 0x7F && !(c == 0xC2 && next < 0xA0), row);
    }
}

static void messages_are_one_harmless_line(void) {
    /* %s is where the nasty text goes; each message quotes it, some twice. */
    static const char *const forms[] = {
        "{'Version':'%s','Statement':[]}",
        "{'Version':['%s'],'Statement':[]}",
        "{'%s':1,'Statement':[]}",
        "{'Statement':{'Sid':'%s','%s':1}}",
        "{'Statement':{'Sid':'%s','Effect':'%s'}}",
        "{'Statement':{'Sid':'%s','Effect':{'%s':1}}}",
        "{'Statement':{'Sid':'%s','Effect':'Deny','Action':'*','Resource':'*','Principal':{'%s':1}}}",
        "{'Statement':{'Sid':'%s','Effect':'Deny','Action':'*','Resource':'*','Principal':'*',"
        "'Condition':{'%s':1}}}",
        "{'Statement':{'Sid':'%s','Effect':'Deny','Action':'*','Resource':'*','Principal':'*',"
        "'Condition':{'Bool':{'%s':null}}}}",
        "{'Statement':{'Sid':'%s','Effect':'Deny','Action':'*','Resource':'*','Principal':'*',"
        "'Condition':{'Bool':{'%sX':1,'%sx':1}}}}",
    };
    static const char *const pieces[] = {
        "x", "\\n", "\\u0000", "\\u001b[2J", "\\u007f", "\xC2\x9B[2J", "\\u009b", "\\u0085",
        "\xE2\x82\xAC", "a\xF0\x9F\x98\x80", "%%s%%n", "\\\"", "/",
    };
    static char word[8192], json[4 * 8192];
    for (size_t p = 0; p < sizeof pieces / sizeof *pieces; p++) {
        for (size_t times = 1; times <= 512; times *= 8) {
            word[0] = '\0';
            for (size_t i = 0; i < times; i++) strcat(word, pieces[p]);
            for (size_t f = 0; f < sizeof forms / sizeof *forms; f++) {
                postern_error error = {.message = ""};
                writer w = {json, sizeof json, 0};
                char *form = json_of(forms[f]);
                for (const char *at = form; *at != '\0';) {
                    size_t length = strcspn(at, "%");
                    writef(&w, "%.*s%s", (int)length, at, at[length] == '%' ? word : "");
                    at += length + (at[length] == '%' ? 2 : 0);
                }
                free(form);
                int status = read_policy(json, w.length, POSTERN_RESOURCE, &error);
                CHECK_ROW(status == POSTERN_STRUCTURE, json);
                check_message(&error, forms[f]);
            }
        }
    }
}

/* ---- Bytes missing or wrong ----------------------------------------------- */

static const char whole[] =
    "{'Version':'2012-10-17','Id':'i','Statement':[{'Sid':'S','Effect':'Deny',"
    "'NotPrincipal':{'AWS':['111122223333'],'Service':'x'},'NotAction':['a:*'],'Resource':'*',"
    "'Condition':{'StringLike':{'k':['v','${a, `b`}'],'l':1},'Bool':{'m':true}}},\n"
    "{'Effect':'Allow','Principal':'*','Action':'a:b','NotResource':[]}]}";

static void no_beginning_of_a_policy_is_one(void) {
    char *json = json_of(whole);
    size_t length = strlen(json);
    check_taken(POSTERN_RESOURCE, whole);
    for (size_t cut = 0; cut < length; cut++) {
        postern_error error = {.message = ""};
        char *part = malloc(cut + 1); /* exactly so much, for the sanitizer */
        memcpy(part, json, cut);
        CHECK(read_policy(part, cut, POSTERN_RESOURCE, &error) == POSTERN_SYNTAX);
        CHECK(error.line >= 1 && error.column >= 1);
        check_message(&error, "truncated");
        free(part);
    }
    free(json);
}

static void a_wrong_byte_is_an_answer(void) {
    static const char others[] = {'\0', ' ', '"', '}', ']', ',', 'x', '1', (char)0xFF, (char)0xC2};
    char *json = json_of(whole);
    size_t length = strlen(json);
    for (size_t i = 0; i < length; i++) {
        char kept = json[i];
        for (size_t o = 0; o < sizeof others; o++) {
            postern_error error = {.message = ""};
            json[i] = others[o];
            int status = read_policy(json, length, POSTERN_RESOURCE, &error);
            CHECK(status == POSTERN_OK || status == POSTERN_SYNTAX || status == POSTERN_STRUCTURE);
            if (status != POSTERN_OK) check_message(&error, "one byte changed");
        }
        json[i] = kept;
    }
    free(json);
}

/* ---- Size and memory ------------------------------------------------------ */

/* Many members, few of them equal: nothing may cost the square. */
static void large_blocks_are_fast(void) {
    enum { MEMBERS = 10000 };
    size_t size = MEMBERS * 64;
    char *json = malloc(size);
    for (int kind = 0; kind < 4; kind++) {
        writer w = {json, size, 0};
        clock_t start = clock();
        postern_error error = {.message = ""};
        writef(&w, "{'Statement':{'Effect':'Allow','Action':'*','Resource':'*','Condition':{");
        writef(&w, "'StringEquals':{");
        for (uint32_t i = 0; i < MEMBERS; i++) {
            /* Rising, falling, all the same start, and shuffled. */
            uint32_t n = kind == 0 ? i : kind == 1 ? MEMBERS - i : i * 7919u % MEMBERS;
            writef(&w, "%s'%s%u':'v'", i > 0 ? "," : "", kind == 2 ? "aws:requesttag/" : "K", n);
        }
        writef(&w, ",'%s':'v'", kind == 3 ? "k77" : "other");
        writef(&w, "}}}}");
        json_quotes(json);
        int status = read_policy(json, w.length, POSTERN_IDENTITY, &error);
        CHECK(status == (kind == 3 ? POSTERN_STRUCTURE : POSTERN_OK));
        CHECK(clock() - start < 5 * CLOCKS_PER_SEC); /* milliseconds; but valgrind is slow */
    }
    free(json);
}

static void every_allocation_may_fail(void) {
    char *json = json_of(whole);
    postern_document *document = postern_document_new(json, strlen(json), NULL, NULL);
    for (size_t n = 1;; n++) {
        postern__failing_alloc failing;
        postern__failing_alloc_init(&failing, n);
        postern_error error = {0};
        postern__policy policy;
        int status = postern__policy_read(&policy, document, POSTERN_RESOURCE, &failing.allocator,
                                          &error);
        bool failed = failing.allocations >= n;
        CHECK(status == (failed ? POSTERN_NO_MEMORY : POSTERN_OK));
        if (failed) CHECK_TEXT(error.message, "out of memory");
        if (!failed) postern__policy_free(&policy);
        CHECK(failing.live == 0);
        if (!failed) break;
    }
    postern_document_free(document);
    free(json);
}

TEST_MAIN(RUN(documents_are_policies); RUN(syntax_and_repetition_come_from_the_document);
          RUN(statements_have_their_elements); RUN(lists_of_texts_hold_texts);
          RUN(principals_are_a_star_or_a_map); RUN(conditions_are_operators_keys_values);
          RUN(types_want_or_forbid_principals); RUN(only_trust_policies_lack_a_resource);
          RUN(legal_forms_are_taken);
          RUN(drafts_say_what_stands_where); RUN(types_have_names);
          RUN(messages_are_one_harmless_line); RUN(no_beginning_of_a_policy_is_one);
          RUN(a_wrong_byte_is_an_answer); RUN(large_blocks_are_fast);
          RUN(every_allocation_may_fail))
