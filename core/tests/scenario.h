/* What several tests need to play through policies: policy text that can be
 * read in C, sets in one call, and small random policies with their requests.
 * The same seed gives the same policies in every run. */
#ifndef POSTERN_SCENARIO_H
#define POSTERN_SCENARIO_H

#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>

#include "postern.h"
#include "test.h"

/* ---- Policy text --------------------------------------------------------- */

/* JSON written with ' for " and ` for ', in place. */
static inline void json_quotes(char *text) {
    for (; *text != '\0'; text++) {
        if (*text == '\'') *text = '"';
        if (*text == '`') *text = '\'';
    }
}

/* json_quotes of a copy; the caller frees it. */
static inline char *json_of(const char *text) {
    size_t size = strlen(text) + 1;
    char *json = malloc(size);
    if (json == NULL) abort();
    memcpy(json, text, size);
    json_quotes(json);
    return json;
}

static inline int add_policy(postern_builder *builder, const char *text, postern_error *error) {
    char *json = json_of(text);
    int status = postern_builder_add(builder, "test.json", 9, json, strlen(json), error);
    free(json);
    return status;
}

/* The set of one policy; a policy that is refused fails the test. */
static inline postern_set *set_of(const postern_options *options, const char *text) {
    postern_error error = {.message = "no memory"};
    postern_builder *builder = postern_builder_new(options, &error);
    postern_set *set = NULL;
    if (builder != NULL && add_policy(builder, text, &error) == POSTERN_OK) {
        set = postern_builder_build(builder, &error);
    }
    CHECK_ROW(set != NULL, error.message);
    if (set == NULL) fprintf(stderr, "    in %s\n", text);
    postern_builder_free(builder);
    return set;
}

static inline postern_set *set_of_type(int32_t type, int32_t strictness, const char *text) {
    postern_options options = {.policy_type = type, .strictness = strictness};
    return set_of(&options, text);
}

/* ---- Requests ------------------------------------------------------------ */

static inline void put_key(postern_request *request, const postern_set *set, const char *name,
                           const char *value) {
    int32_t key = postern_set_find_key(set, name, strlen(name));
    if (key >= 0) postern_request_put(request, (uint32_t)key, value, strlen(value));
}

/* A request for three texts; NULL as principal is anonymous. */
static inline postern_request *request_of(const postern_set *set, const char *principal,
                                          const char *action, const char *resource) {
    postern_request *request = postern_request_new(set, NULL, NULL);
    if (request == NULL) abort();
    if (principal != NULL) postern_request_principal(request, principal, strlen(principal), 0);
    postern_request_action(request, action, strlen(action));
    postern_request_resource(request, resource, strlen(resource));
    return request;
}

/* The decision on such a request without any cells. */
static inline postern_decision decide_plain(const postern_set *set, const char *principal,
                                            const char *action, const char *resource) {
    postern_decision decision;
    postern_request *request = request_of(set, principal, action, resource);
    postern_evaluate(set, request, &decision);
    postern_request_free(request);
    return decision;
}

/* ---- Chance -------------------------------------------------------------- */

static uint64_t scenario_state = 1;

static inline void seed(uint64_t value) { scenario_state = value * 2654435761u + 1; }

static inline uint32_t below(uint32_t limit) {
    scenario_state ^= scenario_state << 13;
    scenario_state ^= scenario_state >> 7;
    scenario_state ^= scenario_state << 17;
    return (uint32_t)((scenario_state * UINT64_C(2685821657736338717) >> 33) % limit);
}

#define PICK(list) ((list)[below(sizeof(list) / sizeof *(list))])

/* ---- Random statements --------------------------------------------------- */

enum { STATEMENT_SIZE = 1600, STATEMENTS = 6, POLICY_SIZE = STATEMENTS * STATEMENT_SIZE + 64 };

typedef struct writer {
    char *text;
    size_t size, length;
} writer;

#if defined(__GNUC__)
__attribute__((format(printf, 2, 3)))
#endif
static inline void
writef(writer *out, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    int written = vsnprintf(out->text + out->length, out->size - out->length, format, arguments);
    va_end(arguments);
    if (written < 0 || (size_t)written >= out->size - out->length) abort();
    out->length += (size_t)written;
}

#define ALICE "arn:aws:iam::111122223333:user/team/alice"
#define SESSION "arn:aws:sts::111122223333:assumed-role/Reader/s1"
#define ROLE "arn:aws:iam::111122223333:role/path/Reader"
#define STRANGER "arn:aws:iam::444455556666:user/mallory"
#define FEDERATED "arn:aws:sts::111122223333:federated-user/alice"
#define METHOD "arn:aws:execute-api:us-east-1:111122223333:abc/dev/GET/pets"

static const char *const scenario_principals[] = {
    "'*'",
    "{'AWS':'*'}",
    "{'AWS':'111122223333'}",
    "{'AWS':['arn:aws:iam::111122223333:root','" ROLE "']}",
    "{'AWS':'" ROLE "'}",
    "{'AWS':['arn:aws:iam::111122223333:role/Reader','" ALICE "']}",
    "{'AWS':'" ALICE "'}",
    "{'AWS':'" SESSION "','Service':'sns.amazonaws.com'}",
    "{'Service':['sns.amazonaws.com','sqs.amazonaws.com']}",
};

static const char *const scenario_callers[] = {
    "*", ALICE, SESSION, STRANGER, FEDERATED, "sns.amazonaws.com", "arn:aws:iam::111122223333:root",
};

static const char *const scenario_action_patterns[] = {
    "'*'", "'execute-api:Invoke'", "'EXECUTE-API:inv*'", "['s3:Get?bject','sqs:*']", "[]",
};

static const char *const scenario_actions[] = {
    "execute-api:Invoke", "Execute-API:InvalidateCache", "s3:GetObject", "sqs:SendMessage",
};

static const char *const scenario_resource_patterns[] = {
    "'*'",
    "'arn:aws:execute-api:*:*:abc/*'",
    "['arn:aws:execute-api:us-east-1:111122223333:abc/dev/GET/*','arn:aws:s3:::b/?']",
    "'arn:aws:s3:::b/${aws:username}'",
    "'arn:aws:execute-api:us-east-1:111122223333:abc/${aws:PrincipalTag/team, `dev`}/*'",
};

static const char *const scenario_resources[] = {
    METHOD,
    "arn:aws:execute-api:us-east-1:111122223333:abc/blue/POST/pets",
    "arn:aws:s3:::b/alice",
    "arn:aws:s3:::b/x",
};

static const char *const scenario_conditions[] = {
    "'StringEquals':{'aws:username':['alice','bob']}",
    "'StringNotEquals':{'aws:username':'alice'}",
    "'StringLikeIfExists':{'aws:PrincipalTag/team':'b*'}",
    "'StringEquals':{'AWS:principaltag/Team':'${aws:username}'}",
    "'IpAddress':{'aws:SourceIp':['192.0.2.0/24','2001:db8::/32']}",
    "'NotIpAddress':{'aws:SourceIp':'192.0.2.7'}",
    "'Bool':{'aws:SecureTransport':true}",
    "'NumericLessThan':{'s3:max-keys':10}",
    "'ForAllValues:StringEquals':{'aws:TagKeys':['a','b']}",
    "'ForAnyValue:StringNotLike':{'aws:TagKeys':['a*','${aws:username}']}",
    "'Null':{'aws:username':'true'}",
    "'Null':{'aws:TagKeys':false}",
    "'ArnLike':{'aws:PrincipalArn':'arn:aws:iam::*:role/*/${aws:username, `Reader`}'}",
    "'StringEquals':{'s3:max-keys':[]}",
    "'ForAllValues:StringNotEqualsIfExists':{'s3:max-keys':[]}",
};

/* One statement of a policy of `type`, with `effect`. */
static inline void random_statement(char out[STATEMENT_SIZE], int32_t type, const char *effect) {
    writer w = {out, STATEMENT_SIZE, 0};
    /* One draw a line: C leaves the order of arguments open. */
    const char *not_action = below(6) == 0 ? "Not" : "";
    const char *action = PICK(scenario_action_patterns);
    const char *not_resource = below(6) == 0 ? "Not" : "";
    const char *resource = PICK(scenario_resource_patterns);
    writef(&w, "{'Effect':'%s','%sAction':%s,'%sResource':%s", effect, not_action, action,
           not_resource, resource);
    if (type == POSTERN_RESOURCE) {
        bool without = strcmp(effect, "Deny") == 0 && below(4) == 0;
        writef(&w, ",'%sPrincipal':%s", without ? "Not" : "", PICK(scenario_principals));
    }
    /* One operator may stand once in a block: take neighbours of the list. */
    uint32_t count = sizeof scenario_conditions / sizeof *scenario_conditions;
    uint32_t first = below(count);
    uint32_t many = below(3);
    if (many > 0 && first + many <= count) {
        writef(&w, ",'Condition':{%s", scenario_conditions[first]);
        for (uint32_t i = 1; i < many; i++) {
            /* `Null` twice is the only repetition among neighbours. */
            if (first + i == 11) break;
            writef(&w, ",%s", scenario_conditions[first + i]);
        }
        writef(&w, "}");
    }
    writef(&w, "}");
}

/* A policy of some statements, each given as text. */
static inline void policy_of(char out[POLICY_SIZE], char statements[][STATEMENT_SIZE],
                             const uint32_t *order, uint32_t count) {
    writer w = {out, POLICY_SIZE, 0};
    writef(&w, "{'Version':'2012-10-17','Statement':[");
    for (uint32_t i = 0; i < count; i++) {
        writef(&w, "%s%s", i > 0 ? "," : "", statements[order[i]]);
    }
    writef(&w, "]}");
}

/* ---- Random rows --------------------------------------------------------- */

/* Everything a cell may hold in these games: NULL is absent, a text with `|` is
 * a list of its pieces, `|` alone the empty list. */
enum { CELLS = 7, CHOICES = 6 };

static const char *const scenario_keys[CELLS] = {
    "aws:username",   "aws:PrincipalTag/team", "aws:SourceIp",    "aws:SecureTransport",
    "s3:max-keys", "aws:TagKeys",           "aws:PrincipalArn",
};

static const char *const scenario_choices[CELLS][CHOICES] = {
    {NULL, "alice", "bob", "", "|", "alice|carol"},
    {NULL, "blue", "alice", "", "red", "blue|red"},
    {NULL, "192.0.2.7", "192.0.2.9", "2001:db8::1", "::ffff:192.0.2.9", "not an address"},
    {NULL, "true", "FALSE", "maybe", "", "true|false"},
    {NULL, "5", "10", "1e2", "x", "5|11"},
    {NULL, "|", "a|b", "a|ab|c", "a", "|alice"},
    {NULL, ROLE, "arn:aws:iam::111122223333:role/Reader", "arn:aws:iam::111122223333:role/a/b", ALICE,
     ROLE "|" ALICE},
};

/* Puts a choice into the cell of `name`, if the set has one. */
static inline void put_choice(postern_request *request, const postern_set *set, const char *name,
                              const char *choice) {
    int32_t key = postern_set_find_key(set, name, strlen(name));
    if (key < 0 || choice == NULL) return;
    if (strchr(choice, '|') == NULL) {
        postern_request_put(request, (uint32_t)key, choice, strlen(choice));
        return;
    }
    postern_request_list(request, (uint32_t)key);
    for (const char *at = choice; *at != '\0';) {
        size_t length = strcspn(at, "|");
        if (strcmp(choice, "|") != 0) {
            postern_request_append(request, (uint32_t)key, at, length);
        }
        at += length + (at[length] == '|');
    }
}

/* Who, what, on what, and which choice for each key. */
typedef struct situation {
    const char *caller, *action, *resource;
    int32_t flags;
    uint32_t choice[CELLS];
} situation;

static inline situation random_situation(void) {
    situation s;
    s.caller = PICK(scenario_callers);
    s.action = PICK(scenario_actions);
    s.resource = PICK(scenario_resources);
    s.flags = below(4) == 0 ? POSTERN_BOUNDED : 0;
    for (int i = 0; i < CELLS; i++) s.choice[i] = below(CHOICES);
    return s;
}

/* Fills a request afresh; keys whose bit is in `hidden` stay unresolved. */
static inline void fill(postern_request *request, const postern_set *set, const situation *s,
                        uint32_t hidden) {
    postern_request_reset(request);
    postern_request_principal(request, s->caller, strlen(s->caller), s->flags);
    postern_request_action(request, s->action, strlen(s->action));
    postern_request_resource(request, s->resource, strlen(s->resource));
    for (uint32_t i = 0; i < CELLS; i++) {
        const char *name = scenario_keys[i];
        int32_t key = postern_set_find_key(set, name, strlen(name));
        if (key < 0) continue;
        if ((hidden >> i & 1) != 0) postern_request_unresolved(request, (uint32_t)key);
        else put_choice(request, set, name, scenario_choices[i][s->choice[i]]);
    }
}

#endif
