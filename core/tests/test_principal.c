#include "principal.h"

#include <stdlib.h>

#include "inputs.h"
#include "test.h"

static bool is(postern_span actual, const char *expected) {
    return postern__span_equal(actual, span(expected));
}

#define A "111122223333"
#define B "444455556666"
#define IAM(account) "arn:aws:iam::" account ":"
#define STS(account) "arn:aws:sts::" account ":"
#define HEX64 "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

/* ---- Callers ------------------------------------------------------------- */

static void callers_parse(void) {
    static const struct {
        const char *text;
        postern__caller_kind kind;
        const char *account, *name;
    } rows[] = {
        {"*", POSTERN__ANONYMOUS, "", ""},
        {IAM(A) "root", POSTERN__ROOT_USER, A, ""},
        {IAM(A) "user/anna", POSTERN__USER, A, ""},
        {IAM(A) "user/dev/team/anna", POSTERN__USER, A, ""},
        {STS(A) "assumed-role/Admin/session-1", POSTERN__SESSION, A, "Admin"},
        {STS(A) "federated-user/anna", POSTERN__FEDERATED_USER, A, "anna"},
        {"arn:aws-us-gov:iam::" A ":user/anna", POSTERN__USER, A, ""},
        {"s3.amazonaws.com", POSTERN__OTHER, "", ""},
        {"s3.eu-south-1.amazonaws.com", POSTERN__OTHER, "", ""},
        {"accounts.google.com", POSTERN__OTHER, "", ""},
        {IAM(A) "saml-provider/corp", POSTERN__OTHER, "", ""},
        {HEX64, POSTERN__OTHER, "", ""},
        /* Near misses are no callers of an account. */
        {IAM(A) "roots", POSTERN__OTHER, "", ""},
        {IAM(A) "users/anna", POSTERN__OTHER, "", ""},
        {IAM(A) "role/Admin", POSTERN__OTHER, "", ""},
        {IAM(A) "USER/anna", POSTERN__OTHER, "", ""},
        {STS(A) "user/anna", POSTERN__OTHER, "", ""},
        {IAM(A) "assumed-role/Admin/s", POSTERN__OTHER, "", ""},
        {"arn:aws:s3::" A ":user/anna", POSTERN__OTHER, "", ""},
        {"arn:aws:iam:" A ":user/anna", POSTERN__OTHER, "", ""},
        {"**", POSTERN__OTHER, "", ""},
        {A, POSTERN__OTHER, "", ""},
        {"", POSTERN__OTHER, "", ""},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        postern__caller caller = postern__caller_parse(span(rows[i].text), i % 2 == 0);
        CHECK_ROW(caller.kind == rows[i].kind, rows[i].text);
        CHECK_ROW(caller.bounded == (i % 2 == 0), rows[i].text);
        CHECK_ROW(is(caller.text, rows[i].text), rows[i].text);
        CHECK_ROW(is(caller.account, rows[i].account), rows[i].text);
        CHECK_ROW(is(caller.name, rows[i].name), rows[i].text);
    }
    CHECK(postern__caller_parse((postern_span){NULL, 0}, false).kind == POSTERN__OTHER);
}

/* By the parts of the ARN. */
static postern__caller plain_caller(postern_span text) {
    postern__caller caller = {.kind = POSTERN__OTHER, .text = text};
    postern__arn arn;
    if (postern__span_equal(text, span("*"))) caller.kind = POSTERN__ANONYMOUS;
    if (!postern__arn_split(text, &arn) || !is(arn.part[POSTERN__ARN_PREFIX], "arn")) return caller;
    postern_span resource = arn.part[POSTERN__ARN_RESOURCE], none = {NULL, 0};
    bool is_iam = is(arn.part[POSTERN__ARN_SERVICE], "iam");
    size_t slash = postern__span_find(resource, 0, '/');
    postern_span kind = {resource.text, slash};
    postern_span rest = slash < resource.length ? postern__span_from(resource, slash + 1) : none;
    if (!is_iam && !is(arn.part[POSTERN__ARN_SERVICE], "sts")) return caller;
    if (is_iam && is(resource, "root")) {
        caller.kind = POSTERN__ROOT_USER;
    } else if (slash == resource.length) {
        return caller;
    } else if (is_iam && is(kind, "user")) {
        caller.kind = POSTERN__USER;
    } else if (!is_iam && is(kind, "assumed-role")) {
        caller.kind = POSTERN__SESSION;
        caller.name = (postern_span){rest.text, postern__span_find(rest, 0, '/')};
    } else if (!is_iam && is(kind, "federated-user")) {
        caller.kind = POSTERN__FEDERATED_USER;
        caller.name = postern__last_path_part(rest);
    } else {
        return caller;
    }
    caller.partition = arn.part[POSTERN__ARN_PARTITION];
    caller.account = arn.part[POSTERN__ARN_ACCOUNT];
    return caller;
}

/* Callers put together of pieces, cut anywhere, in a block that ends where they do. */
static void callers_are_read_as_arns(void) {
    static const char *const pieces[] = {
        "arn:", "arn:", "aws", ":iam:", ":sts:", ":iam::", ":sts::", "aws-cn", "aws-us-gov", ":", A,
        A ":", "root", "user/", "assumed-role/", "federated-user/", "anna", "/", "Admin/s", "*",
        "iam", "a", "arn", ":user/anna",
    };
    static const size_t likely[] = {0, 2, 5, 11, 13, 16, 17};
    size_t kinds[POSTERN__OTHER + 1] = {0};
    bool same = true;
    random_state = 20261126;
    for (int round = 0; round < 200000; round++) {
        char text[256] = "";
        size_t count = round % 50 == 0 ? 1 : random_below(9);
        for (size_t i = 0; i < count; i++) {
            bool at_random = i >= sizeof likely / sizeof *likely || random_below(6) == 0;
            size_t piece = at_random ? random_below(sizeof pieces / sizeof *pieces) : likely[i];
            if (!at_random && i == 2 && random_below(2) == 0) piece = 6;
            if (!at_random && i == 4) piece = 12 + random_below(4);
            strcat(text, pieces[piece]);
        }
        size_t length = strlen(text);
        if (length > 0 && random_below(8) == 0) length = random_below(length);
        char *exact = malloc(length + 1);
        memcpy(exact + 1, text, length);
        postern_span whole = {exact + 1, length};
        postern__caller ours = postern__caller_parse(whole, false), plain = plain_caller(whole);
        kinds[plain.kind]++;
        if (ours.kind != plain.kind || !postern__span_equal(ours.partition, plain.partition) ||
            !postern__span_equal(ours.account, plain.account) ||
            !postern__span_equal(ours.name, plain.name)) {
            same = false;
        }
        free(exact);
    }
    CHECK(same);
    for (int kind = POSTERN__ANONYMOUS; kind <= POSTERN__OTHER; kind++) CHECK(kinds[kind] > 100);
}

/* ---- Policy values ------------------------------------------------------- */

static void types_are_known(void) {
    CHECK(postern__principal_type_of(span("AWS")) == POSTERN__AWS);
    CHECK(postern__principal_type_of(span("Service")) == POSTERN__SERVICE);
    CHECK(postern__principal_type_of(span("Federated")) == POSTERN__FEDERATED);
    CHECK(postern__principal_type_of(span("CanonicalUser")) == POSTERN__CANONICAL_USER);
    static const char *const wrong[] = {"", "aws", "Aws", "AWS ", "service", "Services",
                                        "canonicalUser", "*"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        CHECK_ROW(postern__principal_type_of(span(wrong[i])) == POSTERN__PRINCIPAL_TYPES,
                  wrong[i]);
}

static void values_are_classified(void) {
    static const struct {
        postern__principal_type type;
        const char *text;
        postern__principal_kind kind;
        const char *account, *name;
    } rows[] = {
        {POSTERN__AWS, "*", POSTERN__NAMES_ANYONE, "", ""},
        {POSTERN__AWS, A, POSTERN__NAMES_ACCOUNT, A, ""},
        {POSTERN__AWS, IAM(A) "root", POSTERN__NAMES_ACCOUNT, A, ""},
        {POSTERN__AWS, IAM(A) "user/anna", POSTERN__NAMES_USER, A, "anna"},
        {POSTERN__AWS, IAM(A) "user/p/anna", POSTERN__NAMES_USER, A, "anna"},
        {POSTERN__AWS, IAM(A) "role/Admin", POSTERN__NAMES_ROLE, A, "Admin"},
        {POSTERN__AWS, IAM(A) "role/p/q/Admin", POSTERN__NAMES_ROLE, A, "Admin"},
        {POSTERN__AWS, STS(A) "assumed-role/Admin/s", POSTERN__NAMES_SESSION, A, ""},
        {POSTERN__AWS, STS(A) "federated-user/anna", POSTERN__NAMES_SESSION, A, ""},
        /* Groups, unique ids, wildcards within a value, half an ARN. */
        {POSTERN__AWS, IAM(A) "group/devs", POSTERN__NAMES_NOBODY, A, ""},
        {POSTERN__AWS, "AIDACKCEVSQ6C2EXAMPLE", POSTERN__NAMES_NOBODY, "", ""},
        {POSTERN__AWS, "AROACKCEVSQ6C2EXAMPLE", POSTERN__NAMES_NOBODY, "", ""},
        {POSTERN__AWS, IAM(A) "role/*", POSTERN__NAMES_NOBODY, "", ""},
        {POSTERN__AWS, IAM(A) "user/ann?", POSTERN__NAMES_NOBODY, "", ""},
        {POSTERN__AWS, IAM("*") "root", POSTERN__NAMES_NOBODY, "", ""},
        {POSTERN__AWS, "**", POSTERN__NAMES_NOBODY, "", ""},
        {POSTERN__AWS, "", POSTERN__NAMES_NOBODY, "", ""},
        {POSTERN__AWS, IAM("1111") "root", POSTERN__NAMES_NOBODY, "1111", ""},
        {POSTERN__AWS, IAM("") "user/anna", POSTERN__NAMES_NOBODY, "", ""},
        {POSTERN__AWS, "11112222333", POSTERN__NAMES_NOBODY, "", ""},
        {POSTERN__AWS, "arn:aws:s3::" A ":root", POSTERN__NAMES_NOBODY, A, ""},
        {POSTERN__AWS, STS(A) "root", POSTERN__NAMES_NOBODY, A, ""},
        {POSTERN__AWS, "s3.amazonaws.com", POSTERN__NAMES_NOBODY, "", ""},
        /* The other types are text, and not even `*` is everybody there. */
        {POSTERN__SERVICE, "s3.amazonaws.com", POSTERN__NAMES_OTHER, "", ""},
        {POSTERN__SERVICE, "*", POSTERN__NAMES_NOBODY, "", ""},
        {POSTERN__SERVICE, "*.amazonaws.com", POSTERN__NAMES_NOBODY, "", ""},
        {POSTERN__SERVICE, A, POSTERN__NAMES_OTHER, "", ""},
        {POSTERN__FEDERATED, "*", POSTERN__NAMES_NOBODY, "", ""},
        {POSTERN__FEDERATED, IAM(A) "saml-provider/corp", POSTERN__NAMES_OTHER, "", ""},
        {POSTERN__CANONICAL_USER, HEX64, POSTERN__NAMES_OTHER, "", ""},
        {POSTERN__CANONICAL_USER, "*", POSTERN__NAMES_NOBODY, "", ""},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char texts[128];
        snprintf(texts, sizeof texts, "before%s", rows[i].text);
        postern__principal principal =
            postern__principal_parse(rows[i].type, span(rows[i].text), 6);
        postern_span text = {texts + principal.text, principal.text_length};
        postern_span account = {texts + principal.account, principal.account_length};
        postern_span name = {texts + principal.name, principal.name_length};
        CHECK_ROW(principal.kind == rows[i].kind, rows[i].text);
        CHECK_ROW(is(text, rows[i].text), rows[i].text);
        CHECK_ROW(is(account, rows[i].account), rows[i].text);
        CHECK_ROW(is(name, rows[i].name), rows[i].text);
    }
}

/* ---- Meeting ------------------------------------------------------------- */

/* Who a policy lists: "AWS arn...", "Service s3..." and so on, up to NULL. */
enum { MOST_LISTED = 4 };

struct listing {
    char texts[512];
    postern__principal principals[MOST_LISTED];
    postern__cell cell;
    postern__value value;
    postern__row row;
    postern__principal_list list;
};

/* What the cell of aws:PrincipalArn holds: NULL, no such cell; "-", absent;
 * "?", unresolved; "[]" and then text, a list of one; or the one value. */
static void listing_init(struct listing *listing, const char *const *listed, const char *arn) {
    memset(listing, 0, sizeof *listing);
    listing->list.principals = listing->principals;
    listing->list.texts = listing->texts;
    size_t end = 0;
    for (uint32_t i = 0; i < MOST_LISTED && listed[i] != NULL; i++) {
        const char *space = strchr(listed[i], ' ');
        postern_span type = {listed[i], (size_t)(space - listed[i])}, text = span(space + 1);
        listing->principals[i] = postern__principal_parse(postern__principal_type_of(type), text,
                                                          (uint32_t)end);
        memcpy(listing->texts + end, text.text, text.length);
        end += text.length;
        listing->list.count++;
    }
    listing->list.row = &listing->row;
    listing->row.values = &listing->value;
    if (arn == NULL) return;
    listing->list.principal_arn = &listing->cell;
    bool list = strncmp(arn, "[]", 2) == 0;
    listing->cell = (postern__cell){list ? POSTERN__LIST : POSTERN__SINGLE, 0, 1};
    if (strcmp(arn, "-") == 0) listing->cell = (postern__cell){POSTERN__ABSENT, 0, 0};
    if (strcmp(arn, "?") == 0) listing->cell = (postern__cell){POSTERN__UNRESOLVED, 0, 0};
    listing->row.texts = arn + (list ? 2 : 0);
    listing->value.length = (uint32_t)strlen(listing->row.texts);
}

enum { NONE = POSTERN_MATCH_NONE, ACCOUNT = POSTERN_MATCH_ACCOUNT, ROLE = POSTERN_MATCH_ROLE,
       WILD = POSTERN_MATCH_WILD, DIRECT = POSTERN_MATCH_DIRECT };

#define ROOT_A IAM(A) "root"
#define ANNA IAM(A) "user/anna"
#define SESSION_A STS(A) "assumed-role/Admin/s1"
#define FEDERATED_A STS(A) "federated-user/anna"
#define SAML IAM(A) "saml-provider/corp"

static void one_value_meets_one_caller(void) {
    static const struct {
        const char *listed, *caller;
        int match;
    } rows[] = {
        /* Everybody. */
        {"AWS *", "*", WILD},
        {"AWS *", ROOT_A, WILD},
        {"AWS *", ANNA, WILD},
        {"AWS *", SESSION_A, WILD},
        {"AWS *", FEDERATED_A, WILD},
        {"AWS *", "s3.amazonaws.com", WILD},
        {"AWS *", HEX64, WILD},
        /* The same text. */
        {"AWS " ANNA, ANNA, DIRECT},
        {"AWS " SESSION_A, SESSION_A, DIRECT},
        {"AWS " FEDERATED_A, FEDERATED_A, DIRECT},
        {"Service s3.amazonaws.com", "s3.amazonaws.com", DIRECT},
        {"Service s3.eu-south-1.amazonaws.com", "s3.eu-south-1.amazonaws.com", DIRECT},
        {"Federated accounts.google.com", "accounts.google.com", DIRECT},
        {"Federated " SAML, SAML, DIRECT},
        {"CanonicalUser " HEX64, HEX64, DIRECT},
        /* And nearly. */
        {"AWS " IAM(A) "user/Anna", ANNA, NONE},
        {"AWS " IAM(A) "user/p/anna", ANNA, NONE},
        {"AWS " IAM(B) "user/anna", ANNA, NONE},
        {"AWS arn:aws-cn:iam::" A ":user/anna", ANNA, NONE},
        {"AWS " STS(A) "assumed-role/Admin/s2", SESSION_A, NONE},
        {"AWS " STS(A) "assumed-role/Admin", SESSION_A, NONE},
        {"AWS " STS(A) "assumed-role/Admin/s", SESSION_A, NONE},
        {"Service s3.amazonaws.com", "s3.eu-south-1.amazonaws.com", NONE},
        /* The role behind a session; sessions carry no path. */
        {"AWS " IAM(A) "role/Admin", SESSION_A, ROLE},
        {"AWS " IAM(A) "role/path/to/Admin", SESSION_A, ROLE},
        {"AWS " IAM(A) "role/admin", SESSION_A, NONE},
        {"AWS " IAM(A) "role/Admin2", SESSION_A, NONE},
        {"AWS " IAM(A) "role/Admin/x", SESSION_A, NONE},
        {"AWS " IAM(B) "role/Admin", SESSION_A, NONE},
        {"AWS " IAM(A) "role/s1", SESSION_A, NONE}, /* the session is not the role */
        {"AWS " IAM(A) "role/anna", ANNA, NONE},
        {"AWS " IAM(A) "role/anna", FEDERATED_A, NONE},
        {"AWS " IAM(A) "role/Admin", IAM(A) "user/Admin", NONE},
        /* The user behind a federated-user session. */
        {"AWS " ANNA, FEDERATED_A, ROLE},
        {"AWS " IAM(A) "user/p/anna", FEDERATED_A, ROLE},
        {"AWS " IAM(B) "user/anna", FEDERATED_A, NONE},
        {"AWS " IAM(A) "user/ann", FEDERATED_A, NONE},
        {"AWS " IAM(A) "user/Admin", SESSION_A, NONE},
        {"AWS " FEDERATED_A, ANNA, NONE},
        /* The account, either spelling. */
        {"AWS " A, ROOT_A, ACCOUNT},
        {"AWS " A, ANNA, ACCOUNT},
        {"AWS " A, SESSION_A, ACCOUNT},
        {"AWS " A, FEDERATED_A, ACCOUNT},
        {"AWS " ROOT_A, ROOT_A, ACCOUNT},
        {"AWS " ROOT_A, ANNA, ACCOUNT},
        {"AWS " ROOT_A, SESSION_A, ACCOUNT},
        {"AWS " ROOT_A, FEDERATED_A, ACCOUNT},
        {"AWS " B, ANNA, NONE},
        {"AWS " IAM(B) "root", SESSION_A, NONE},
        {"AWS " A, "*", NONE},
        {"AWS " A, "s3.amazonaws.com", NONE},
        {"AWS " A, HEX64, NONE},
        {"AWS " A, A, NONE},
        {"AWS " A, SAML, NONE},
        /* Nobody else is anonymous. */
        {"AWS " ROOT_A, "*", NONE},
        {"AWS " ANNA, "*", NONE},
        {"AWS " IAM(A) "role/*", "*", NONE},
        {"Service *", "*", NONE},
        {"Federated *", "*", NONE},
        {"CanonicalUser *", "*", NONE},
        {"Service *", "s3.amazonaws.com", NONE},
        /* Under another type one is somebody else. */
        {"Service " ANNA, ANNA, NONE},
        {"Federated " ANNA, ANNA, NONE},
        {"CanonicalUser " ANNA, ANNA, NONE},
        {"Service " SESSION_A, SESSION_A, NONE},
        {"Service " ROOT_A, ROOT_A, NONE},
        {"Service " A, ANNA, NONE},
        {"AWS s3.amazonaws.com", "s3.amazonaws.com", NONE},
        {"AWS accounts.google.com", "accounts.google.com", NONE},
        {"AWS " HEX64, HEX64, NONE},
        {"AWS " SAML, SAML, NONE},
        /* What is not supported names nobody, not even by the same text. */
        {"AWS " IAM(A) "role/*", SESSION_A, NONE},
        {"AWS " IAM(A) "user/*", ANNA, NONE},
        {"AWS " IAM(A) "user/*", IAM(A) "user/*", NONE},
        {"AWS AIDACKCEVSQ6C2EXAMPLE", ANNA, NONE},
        {"AWS AIDACKCEVSQ6C2EXAMPLE", "AIDACKCEVSQ6C2EXAMPLE", NONE},
        {"AWS " IAM(A) "group/devs", ANNA, NONE},
        {"AWS ", "", NONE},
        {"Service ", "", NONE},
        /* Callers without an account are not in the same one. */
        {"AWS " IAM("") "root", IAM("") "user/anna", NONE},
        {"AWS " IAM("") "user/anna", STS("") "federated-user/anna", NONE},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const char *listed[] = {rows[i].listed, NULL};
        char row[256];
        snprintf(row, sizeof row, "%s meets %s", rows[i].listed, rows[i].caller);
        postern__caller caller = postern__caller_parse(span(rows[i].caller), false);
        struct listing listing;
        postern_match sure, possible;
        listing_init(&listing, listed, NULL);
        postern__principal_match(&listing.list, &caller, &sure, &possible);
        CHECK_ROW((int)sure == rows[i].match, row);
        CHECK_ROW(possible == POSTERN_MATCH_NONE, row);
    }
}

/* aws:PrincipalArn, where it names a role of the caller's account, is compared
 * whole; where it is not known yet a role is only possible. */
static void role_of_a_session(void) {
    static const struct {
        const char *listed, *caller, *arn;
        int sure, possible;
    } rows[] = {
        {IAM(A) "role/Admin", SESSION_A, "-", ROLE, NONE},
        {IAM(A) "role/p/Admin", SESSION_A, "-", ROLE, NONE},
        {IAM(A) "role/Admin", SESSION_A, IAM(A) "role/Admin", ROLE, NONE},
        {IAM(A) "role/p/Admin", SESSION_A, IAM(A) "role/p/Admin", ROLE, NONE},
        {IAM(A) "role/p/Admin", SESSION_A, IAM(A) "role/Admin", NONE, NONE},
        {IAM(A) "role/Admin", SESSION_A, IAM(A) "role/p/Admin", NONE, NONE},
        {IAM(A) "role/Other", SESSION_A, IAM(A) "role/Other", ROLE, NONE},
        /* Anything but a role of that account says nothing. */
        {IAM(A) "role/p/Admin", SESSION_A, IAM(B) "role/Admin", ROLE, NONE},
        {IAM(A) "role/p/Admin", SESSION_A, ANNA, ROLE, NONE},
        {IAM(A) "role/p/Admin", SESSION_A, SESSION_A, ROLE, NONE},
        {IAM(A) "role/p/Admin", SESSION_A, "arn:aws:s3::" A ":role/Admin", ROLE, NONE},
        {IAM(A) "role/p/Admin", SESSION_A, "nonsense", ROLE, NONE},
        {IAM(A) "role/p/Admin", SESSION_A, "[]" IAM(A) "role/Admin", ROLE, NONE},
        /* And it makes nobody what they are not. */
        {IAM(A) "role/Admin", ANNA, IAM(A) "role/Admin", NONE, NONE},
        {IAM(A) "role/Admin", "*", IAM(A) "role/Admin", NONE, NONE},
        {IAM(B) "role/Admin", SESSION_A, IAM(B) "role/Admin", NONE, NONE},
        {IAM(A) "role/Admin", SESSION_A, "?", NONE, ROLE},
        {IAM(A) "role/p/Admin", SESSION_A, "?", NONE, ROLE},
        {IAM(B) "role/Admin", SESSION_A, "?", NONE, NONE},
        {IAM(A) "role/Admin", ANNA, "?", NONE, NONE},
        {IAM(A) "role/Admin", "*", "?", NONE, NONE},
        /* It is asked for roles only. */
        {SESSION_A, SESSION_A, "?", DIRECT, NONE},
        {A, SESSION_A, "?", ACCOUNT, NONE},
        {"*", SESSION_A, "?", WILD, NONE},
        {ANNA, FEDERATED_A, "?", ROLE, NONE},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char row[256], listed_text[128];
        snprintf(listed_text, sizeof listed_text, "AWS %s", rows[i].listed);
        snprintf(row, sizeof row, "%s meets %s as %s", rows[i].listed, rows[i].caller,
                 rows[i].arn);
        const char *listed[] = {listed_text, NULL};
        postern__caller caller = postern__caller_parse(span(rows[i].caller), false);
        struct listing listing;
        postern_match sure, possible;
        listing_init(&listing, listed, rows[i].arn);
        postern__principal_match(&listing.list, &caller, &sure, &possible);
        CHECK_ROW((int)sure == rows[i].sure, row);
        CHECK_ROW((int)possible == rows[i].possible, row);
    }
}

/* Where a named account is its root user only. */
static void accounts_that_stand_for_their_root(void) {
    static const struct {
        const char *listed, *caller;
        int match;
        postern_truth exempt;
    } rows[] = {
        {"AWS " A, ROOT_A, ACCOUNT, POSTERN_YES},
        {"AWS " ROOT_A, ROOT_A, ACCOUNT, POSTERN_YES},
        {"AWS " A, ANNA, NONE, POSTERN_NO},
        {"AWS " ROOT_A, ANNA, NONE, POSTERN_NO},
        {"AWS " A, SESSION_A, NONE, POSTERN_NO},
        {"AWS " ROOT_A, SESSION_A, NONE, POSTERN_NO},
        {"AWS " A, FEDERATED_A, NONE, POSTERN_NO},
        {"AWS " A, IAM(B) "root", NONE, POSTERN_NO},
        {"AWS " ROOT_A, "arn:aws-cn:iam::" A ":root", NONE, POSTERN_NO},
        {"AWS " A, "*", NONE, POSTERN_NO},
        {"AWS " A, "s3.amazonaws.com", NONE, POSTERN_NO},
        /* Every other value is as it is elsewhere. */
        {"AWS *", "*", WILD, POSTERN_YES},
        {"AWS *", ANNA, WILD, POSTERN_YES},
        {"AWS " ANNA, ANNA, DIRECT, POSTERN_YES},
        {"AWS " IAM(A) "role/Admin", SESSION_A, ROLE, POSTERN_YES},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const char *listed[] = {rows[i].listed, NULL};
        char row[256];
        snprintf(row, sizeof row, "%s meets %s", rows[i].listed, rows[i].caller);
        postern__caller caller = postern__caller_parse(span(rows[i].caller), false);
        struct listing listing;
        postern_match sure, possible;
        listing_init(&listing, listed, NULL);
        listing.list.roots_only = true;
        postern__principal_match(&listing.list, &caller, &sure, &possible);
        CHECK_ROW((int)sure == rows[i].match && possible == POSTERN_MATCH_NONE, row);
        CHECK_ROW(postern__principal_exempts(&listing.list, &caller) == rows[i].exempt, row);
    }
}

static void the_strongest_of_a_list_counts(void) {
    static const struct {
        const char *listed[MOST_LISTED];
        const char *arn;
        int sure, possible;
    } rows[] = {
        {{NULL}, NULL, NONE, NONE},
        {{"AWS " B, "Service s3.amazonaws.com", NULL}, NULL, NONE, NONE},
        {{"AWS " A, "AWS " IAM(A) "role/Admin", NULL}, NULL, ROLE, NONE},
        {{"AWS " IAM(A) "role/Admin", "AWS " A, NULL}, NULL, ROLE, NONE},
        {{"AWS *", "AWS " IAM(A) "role/Admin", NULL}, NULL, WILD, NONE},
        {{"AWS *", "AWS " SESSION_A, NULL}, NULL, DIRECT, NONE},
        {{"AWS " SESSION_A, "AWS *", "AWS " A, NULL}, NULL, DIRECT, NONE},
        {{"AWS " B, "AWS " A, NULL}, NULL, ACCOUNT, NONE},
        {{"AWS " A, "AWS " IAM(A) "role/Admin", NULL}, "?", ACCOUNT, ROLE},
        {{"AWS *", "AWS " IAM(A) "role/Admin", NULL}, "?", WILD, ROLE},
        {{"AWS " IAM(B) "role/Admin", "AWS " IAM(A) "role/Admin", NULL}, "?", NONE, ROLE},
    };
    postern__caller caller = postern__caller_parse(span(SESSION_A), false);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct listing listing;
        postern_match sure, possible;
        listing_init(&listing, rows[i].listed, rows[i].arn);
        postern__principal_match(&listing.list, &caller, &sure, &possible);
        CHECK_ROW((int)sure == rows[i].sure, rows[i].listed[0]);
        CHECK_ROW((int)possible == rows[i].possible, rows[i].listed[0]);
    }
}

/* ---- NotPrincipal -------------------------------------------------------- */

static void listed_principals_are_exempt(void) {
    static const struct {
        const char *listed[MOST_LISTED];
        const char *caller, *arn;
        postern_truth exempt;
    } rows[] = {
        {{NULL}, ANNA, NULL, POSTERN_NO},
        {{"AWS " ANNA, NULL}, ANNA, NULL, POSTERN_YES},
        {{"AWS " ANNA, NULL}, IAM(A) "user/bert", NULL, POSTERN_NO},
        {{"AWS " ANNA, NULL}, "*", NULL, POSTERN_NO},
        {{"AWS *", NULL}, "*", NULL, POSTERN_YES},
        {{"AWS *", NULL}, ANNA, NULL, POSTERN_YES},
        {{"AWS *", "AWS " B, NULL}, ANNA, NULL, POSTERN_YES},
        {{"Service s3.amazonaws.com", NULL}, "s3.amazonaws.com", NULL, POSTERN_YES},
        {{"AWS " IAM(A) "role/Admin", NULL}, SESSION_A, NULL, POSTERN_YES},
        {{"AWS " ANNA, NULL}, FEDERATED_A, NULL, POSTERN_YES},
        /* Only accounts: their members. */
        {{"AWS " A, NULL}, ANNA, NULL, POSTERN_YES},
        {{"AWS " A, NULL}, IAM(B) "user/anna", NULL, POSTERN_NO},
        {{"AWS " A, "AWS " IAM(B) "root", NULL}, IAM(B) "user/anna", NULL, POSTERN_YES},
        {{"AWS " A, "AWS " IAM(B) "root", NULL}, "*", NULL, POSTERN_NO},
        {{"AWS " A, "AWS " IAM(B) "root", NULL}, "s3.amazonaws.com", NULL, POSTERN_NO},
        /* With anybody else in the list: not by their account. */
        {{"AWS " ANNA, "AWS " A, NULL}, ANNA, NULL, POSTERN_YES},
        {{"AWS " ANNA, "AWS " A, NULL}, IAM(A) "user/bert", NULL, POSTERN_NO},
        {{"AWS " A, "AWS " ANNA, NULL}, IAM(A) "user/bert", NULL, POSTERN_NO},
        {{"AWS " A, "AWS " ANNA, NULL}, ROOT_A, NULL, POSTERN_NO},
        {{"AWS " A, "Service s3.amazonaws.com", NULL}, ANNA, NULL, POSTERN_NO},
        {{"AWS " A, "AWS AIDACKCEVSQ6C2EXAMPLE", NULL}, ANNA, NULL, POSTERN_NO},
        {{"AWS " A, "AWS " IAM(A) "role/*", NULL}, ANNA, NULL, POSTERN_NO},
        {{"AWS " A, "AWS " IAM(A) "role/Admin", "AWS " SESSION_A, NULL},
         STS(A) "assumed-role/Other/s", NULL, POSTERN_NO},
        {{"AWS AIDACKCEVSQ6C2EXAMPLE", NULL}, "AIDACKCEVSQ6C2EXAMPLE", NULL, POSTERN_NO},
        /* The role hangs on aws:PrincipalArn. */
        {{"AWS " IAM(A) "role/p/Admin", NULL}, SESSION_A, IAM(A) "role/Admin", POSTERN_NO},
        {{"AWS " IAM(A) "role/Admin", NULL}, SESSION_A, "?", POSTERN_UNKNOWN},
        {{"AWS " IAM(A) "role/Admin", "AWS " A, NULL}, SESSION_A, "?", POSTERN_UNKNOWN},
        {{"AWS " IAM(A) "role/Admin", "AWS " SESSION_A, NULL}, SESSION_A, "?", POSTERN_YES},
        {{"AWS " SESSION_A, "AWS " IAM(A) "role/Admin", NULL}, SESSION_A, "?", POSTERN_YES},
        {{"AWS " IAM(B) "role/Admin", NULL}, SESSION_A, "?", POSTERN_NO},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct listing listing;
        postern__caller caller = postern__caller_parse(span(rows[i].caller), false);
        listing_init(&listing, rows[i].listed, rows[i].arn);
        CHECK_ROW(postern__principal_exempts(&listing.list, &caller) == rows[i].exempt,
                  rows[i].listed[0] == NULL ? "nobody" : rows[i].listed[0]);
    }
}

/* Whatever is listed, whoever calls and whatever is known of the role: those who
 * meet share a key. Not much else does, or the keys would tell nothing. */
static void who_meets_shares_a_key(void) {
    static const char *const listed[] = {
        "AWS *", "AWS " A, "AWS " B, "AWS " ROOT_A, "AWS arn:aws-cn:iam::" A ":root", "AWS " ANNA,
        "AWS " IAM(A) "user/path/anna", "AWS " IAM(A) "user/otto", "AWS " IAM(B) "user/anna",
        "AWS " IAM(A) "role/Admin", "AWS " IAM(A) "role/path/Admin", "AWS " IAM(B) "role/Admin",
        "AWS " IAM(A) "role/Other", "AWS " SESSION_A, "AWS " FEDERATED_A, "AWS AIDACKCEVSQ6C2EXAMPLE",
        "Service s3.amazonaws.com", "Service sns.amazonaws.com", "Federated " SAML,
        "CanonicalUser " HEX64, "AWS " IAM(A) "user/*", "Service " ANNA,
    };
    static const char *const callers[] = {
        "*", ROOT_A, ANNA, IAM(A) "user/path/anna", IAM(B) "user/anna", SESSION_A,
        STS(A) "assumed-role/Other/s1", STS(B) "assumed-role/Admin/s1", FEDERATED_A,
        STS(B) "federated-user/anna", "s3.amazonaws.com", SAML, HEX64, "",
    };
    static const char *const arns[] = {NULL, "-", "?", IAM(A) "role/Admin", IAM(A) "role/path/Admin",
                                       IAM(B) "role/Admin", "[]" IAM(A) "role/Other", "x"};
    size_t met = 0, shared = 0;
    for (size_t i = 0; i < sizeof listed / sizeof *listed; i++) {
        for (size_t j = 0; j < sizeof callers / sizeof *callers; j++) {
            for (size_t k = 0; k < sizeof arns / sizeof *arns; k++) {
                const char *list[] = {listed[i], NULL};
                struct listing listing;
                uint64_t names[POSTERN__PRINCIPAL_KEYS], keys[POSTERN__CALLER_KEYS];
                postern__caller caller = postern__caller_parse(span(callers[j]), false);
                postern_match sure, possible;
                listing_init(&listing, list, arns[k]);
                postern__principal_match(&listing.list, &caller, &sure, &possible);
                uint32_t named = postern__principal_keys(listing.principals, listing.texts, names);
                uint32_t asked = postern__caller_keys(&listing.list, &caller, keys);
                CHECK(named <= POSTERN__PRINCIPAL_KEYS && asked <= POSTERN__CALLER_KEYS);
                bool meets = sure != POSTERN_MATCH_NONE || possible != POSTERN_MATCH_NONE;
                bool shares = false;
                for (uint32_t n = 0; n < named; n++) {
                    for (uint32_t a = 0; a < asked; a++) shares = shares || names[n] == keys[a];
                }
                char row[256];
                snprintf(row, sizeof row, "%s meets %s", listed[i], callers[j]);
                if (listing.principals[0].kind == POSTERN__NAMES_ANYONE) CHECK(named == 0);
                else CHECK_ROW(shares || !meets, row);
                if (listing.principals[0].kind == POSTERN__NAMES_NOBODY) CHECK(named == 0);
                met += meets;
                shared += shares;
            }
        }
    }
    CHECK(met > 100 && shared > 100 && shared < 2 * met);
}

TEST_MAIN(
    RUN(callers_parse);
    RUN(callers_are_read_as_arns);
    RUN(types_are_known);
    RUN(values_are_classified);
    RUN(one_value_meets_one_caller);
    RUN(role_of_a_session);
    RUN(accounts_that_stand_for_their_root);
    RUN(the_strongest_of_a_list_counts);
    RUN(listed_principals_are_exempt);
    RUN(who_meets_shares_a_key)
)
