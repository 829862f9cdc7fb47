/* Postern: decides requests with AWS policy documents.
 *
 * The life of a caller, top to bottom: a builder reads policies and builds an
 * immutable set; a request is filled with what is known of one call; evaluate
 * answers with a decision; the explain functions say why. The matchers and
 * the document reader underneath are public too.
 *
 * Conventions. Text goes in as pointer and length, is UTF-8, need not end in
 * NUL, and is only read during the call unless a function says otherwise.
 * Constructors return NULL on failure, other fallible calls a postern_status;
 * both fill `error` when it is not NULL. There is no global state. Objects are
 * not locked: a set, a document and a matcher are immutable and may be read by
 * any number of threads; a builder or a request belongs to one thread at a
 * time. Every object is freed by the function named after it; each accepts
 * NULL.
 *
 * Rules come from the IAM User Guide, the API Gateway Developer Guide and the
 * AWS PrivateLink Guide; a function that implements one names the page. */
#ifndef POSTERN_H
#define POSTERN_H

#include <stddef.h>
#include <stdint.h>

#define POSTERN_VERSION "0.1.0"

#ifdef __cplusplus
extern "C" {
#endif
#if defined(__GNUC__)
#pragma GCC visibility push(default)
#endif

/* ffi:begin (plain declarations from here to ffi:end; LuaJIT reads them) */

/* ---- Version ------------------------------------------------------------ */

enum { POSTERN_ABI = 6 }; /* changes whenever a declaration below does */

/* The version of the loaded library: "major.minor.patch", and its ABI. */
const char *postern_version(void);
uint32_t postern_abi(void);

/* ---- Errors ------------------------------------------------------------- */

typedef enum postern_status {
    POSTERN_OK = 0,
    POSTERN_NO_MEMORY, /* the allocator refused */
    POSTERN_SYNTAX,    /* not JSON, or not UTF-8 */
    POSTERN_STRUCTURE, /* JSON, but not a policy: refused everywhere */
    POSTERN_ATTACH,    /* a policy that may not be attached; see strictness */
    POSTERN_LIMIT,     /* a named limit is exceeded */
    POSTERN_VALUE,     /* a value that cannot be taken: bad range, bad UTF-8 */
    POSTERN_MISUSE     /* a wrong argument or a call out of order */
} postern_status;

enum { POSTERN_MESSAGE_SIZE = 320 };

/* Where and why. Filled by the callee, owned by the caller, never freed. Line
 * and column count from 1, columns in code points; both are 0 when the error
 * has no place. `message` is lower case, without a final stop. */
typedef struct postern_error {
    int32_t status;
    uint32_t line;
    uint32_t column;
    char message[POSTERN_MESSAGE_SIZE];
} postern_error;

/* ---- Memory ------------------------------------------------------------- */

/* One realloc-shaped function. `old_size` 0 allocates, `new_size` 0 frees and
 * returns NULL; a failed growth returns NULL and leaves `block` as it was.
 * NULL in place of an allocator means malloc. The struct is copied; what
 * `user` points to must outlive every object made with it. */
typedef struct postern_allocator {
    void *(*resize)(void *user, void *block, size_t old_size, size_t new_size);
    void *user;
} postern_allocator;

/* A piece of text that somebody else owns. */
typedef struct postern_span {
    const char *text;
    size_t length;
} postern_span;

/* ---- Matchers ----------------------------------------------------------- */

/* A list of patterns with `*` (any run of characters) and `?` (exactly one
 * code point), anchored at both ends, matched in bounded time. There is no
 * escape character. */
typedef struct postern_glob postern_glob;

typedef enum postern_glob_kind {
    POSTERN_GLOB_TEXT = 0, /* wildcards match any character, as StringLike */
    POSTERN_GLOB_RESOURCE  /* the colon rule of Resource elements: before the
        fifth colon only a `*` that ends a segment crosses colons (IAM User
        Guide, "IAM JSON policy elements: Resource") */
} postern_glob_kind;

/* Compiles `count` patterns; they are copied. `allocator` may be NULL. */
postern_glob *postern_glob_new(const postern_span *patterns, size_t count, int kind,
                               const postern_allocator *allocator, postern_error *error);

/* The index of the first pattern that matches the whole text, or -1. */
int32_t postern_glob_match(const postern_glob *glob, const char *text, size_t length);

void postern_glob_free(postern_glob *glob);

/* A set of IPv4 and IPv6 ranges, `address` or `address/length`, host bits
 * ignored. IPv4-mapped IPv6 is IPv4, in ranges and in addresses; otherwise the
 * families never match each other. */
typedef struct postern_cidr postern_cidr;

enum {
    POSTERN_NO_MATCH = -1,
    POSTERN_NOT_AN_ADDRESS = -2
};

/* Compiles `count` ranges; they are copied. A range that does not parse is
 * POSTERN_VALUE and the message names it. `allocator` may be NULL. */
postern_cidr *postern_cidr_new(const postern_span *ranges, size_t count,
                               const postern_allocator *allocator, postern_error *error);

/* The index of the most specific range that holds the address, the earlier one
 * among equals; POSTERN_NO_MATCH; or POSTERN_NOT_AN_ADDRESS for text that is
 * not one IPv4 or IPv6 address. */
int32_t postern_cidr_match(const postern_cidr *cidr, const char *address, size_t length);

/* How a matcher looks up: the instructions ("avx512", "avx2", "scalar"), and the
 * shape of each family's ranges ("few", "tree", "directory", "blocks", "buckets").
 * The texts are constant. The environment variable POSTERN_SIMD, read when a
 * matcher or a set is made, names the most that is used; answers are the same by
 * all. Matchers of two megabytes or more ask for huge pages, where the system has
 * them; with POSTERN_PAGES=small in the environment they do not. */
typedef struct postern_cidr_report {
    const char *simd;
    const char *ipv4;
    const char *ipv6;
    size_t bytes; /* of the whole matcher */
} postern_cidr_report;

void postern_cidr_describe(const postern_cidr *cidr, postern_cidr_report *out);

void postern_cidr_free(postern_cidr *cidr);

/* ---- Documents ---------------------------------------------------------- */

/* A JSON text, read strictly (RFC 8259): duplicate member names, lone
 * surrogates, invalid UTF-8, a byte order mark and trailing data are refused.
 *
 * The nodes stand in one array in document order. The children of an array or
 * object node i are node i+1, then that node's `next`, and so on while smaller
 * than nodes[i].next. In an object every member is a STRING node (the name)
 * followed by its value; a name's `next` is the value, the value's `next` is
 * the next name. */
typedef struct postern_document postern_document;

typedef enum postern_node_kind {
    POSTERN_NULL = 0,
    POSTERN_FALSE,
    POSTERN_TRUE,
    POSTERN_NUMBER,
    POSTERN_STRING,
    POSTERN_ARRAY,
    POSTERN_OBJECT
} postern_node_kind;

typedef struct postern_node {
    int32_t kind;
    uint32_t next;   /* index of the node after this one and all inside it */
    uint32_t start;  /* byte offset in the source, of the opening quote too */
    uint32_t end;    /* byte offset just past it */
    uint32_t text;   /* strings: offset of the unescaped text in the texts */
    uint32_t length; /* strings: its bytes; arrays, objects: items, members */
} postern_node;

/* Reads `length` bytes; they are copied. `allocator` may be NULL. */
postern_document *postern_document_new(const char *json, size_t length,
                                       const postern_allocator *allocator, postern_error *error);

/* The nodes, the unescaped texts and the source. They live as long as the
 * document. The root is node 0. */
const postern_node *postern_document_nodes(const postern_document *document, uint32_t *count);
const char *postern_document_texts(const postern_document *document);
const char *postern_document_source(const postern_document *document, size_t *length);

/* Line and column, from 1, of a byte offset in the source. */
void postern_document_place(const postern_document *document, uint32_t offset, uint32_t *line,
                            uint32_t *column);

void postern_document_free(postern_document *document);

/* ---- Builder ------------------------------------------------------------ */

/* What a policy is attached as. It decides whether Principal is required or
 * forbidden and how an incomplete ARN is read (IAM User Guide, "Policies and
 * permissions in IAM"). */
typedef enum postern_policy_type {
    POSTERN_IDENTITY = 0,
    POSTERN_BOUNDARY,
    POSTERN_SESSION,
    POSTERN_SCP,
    POSTERN_RCP,
    POSTERN_RESOURCE,
    POSTERN_ENDPOINT,
    POSTERN_TRUST, /* of a role; without Resource it speaks of that role */
    POSTERN_GATEWAY_ENDPOINT /* an endpoint policy in which an account that
        Principal names is its root user only (AWS PrivateLink Guide, "Control
        access to VPC endpoints using endpoint policies") */
} postern_policy_type;

typedef enum postern_strictness {
    POSTERN_ATTACHABLE = 0, /* also refuse what AWS refuses to attach */
    POSTERN_STRUCTURAL      /* take every policy that can be understood */
} postern_strictness;

typedef struct postern_options {
    const postern_allocator *allocator; /* NULL: malloc */
    int32_t policy_type;
    int32_t strictness;
    /* What the short form `execute-api:/` stands for in a resource policy:
     * arn:partition:execute-api:region:account:api-id, without a final slash.
     * NULL: the short form matches any API. */
    const char *api_arn;
    size_t api_arn_length;
} postern_options;

typedef struct postern_builder postern_builder;
typedef struct postern_set postern_set;

/* `options` is read during the call; NULL means identity, attachable. */
postern_builder *postern_builder_new(const postern_options *options, postern_error *error);

/* Adds one policy document, all of it or nothing. `name` is what explanations
 * and messages call it, usually the file. On failure the builder stays as it
 * was and usable. */
int postern_builder_add(postern_builder *builder, const char *name, size_t name_length,
                        const char *json, size_t json_length, postern_error *error);

/* The set of everything added so far; a set of no policies allows nothing. The
 * builder stays usable and independent of the set. */
postern_set *postern_builder_build(postern_builder *builder, postern_error *error);

void postern_builder_free(postern_builder *builder);

/* ---- Set ---------------------------------------------------------------- */

typedef enum postern_effect { POSTERN_ALLOW = 0, POSTERN_DENY } postern_effect;

/* One statement as it stands in its policy. Spans live as long as the set. A
 * line of 0 means the element is absent. */
typedef struct postern_statement {
    uint32_t policy; /* index of the policy, in the order of adding */
    uint32_t index;  /* index of the statement in its policy */
    int32_t effect;
    uint32_t line, column;
    uint32_t principal_line, action_line, resource_line;
    uint32_t condition_count;
    postern_span sid;
} postern_statement;

/* One operator and key of a statement's Condition. */
typedef struct postern_condition {
    postern_span operator_name; /* as the language spells it */
    uint32_t key;               /* index of the condition key in the set */
    uint32_t line, column;
    uint32_t value_count;
} postern_condition;

size_t postern_set_size(const postern_set *set); /* bytes */
int32_t postern_set_policy_type(const postern_set *set);
uint32_t postern_set_policy_count(const postern_set *set);
uint32_t postern_set_statement_count(const postern_set *set);
uint32_t postern_set_key_count(const postern_set *set);

/* POSTERN_MISUSE when an index is out of range; `out` is then untouched. */
int postern_set_policy_name(const postern_set *set, uint32_t policy, postern_span *out);
int postern_set_statement(const postern_set *set, uint32_t statement, postern_statement *out);
int postern_set_condition(const postern_set *set, uint32_t statement, uint32_t condition,
                          postern_condition *out);
int postern_set_condition_value(const postern_set *set, uint32_t statement, uint32_t condition,
                                uint32_t value, postern_span *out);

/* The condition keys the set mentions, in lower case: those a request has to
 * fill. Keys and ${variables} are mentioned alike. */
int postern_set_key(const postern_set *set, uint32_t key, postern_span *out);

/* The index of a key spelled in any letter case, or -1. */
int32_t postern_set_find_key(const postern_set *set, const char *name, size_t length);

void postern_set_free(postern_set *set);

/* ---- Request ------------------------------------------------------------ */

/* A request is a row of cells made for a set: who asks (principal), what
 * (action), on what (resource), and one cell per condition key of the set.
 *
 * A cell is absent, present or unresolved. Absent is the start and means the
 * request has no such key: the language's rules for missing keys apply. A
 * present cell is either one value (single-valued key) or a list (multivalued
 * key; a list may be empty and counts as absent then). Unresolved means nobody
 * looked yet: evaluation goes as far as it can without it and answers
 * undecided, naming the key, only if the decision depends on it.
 *
 * All text is copied in. A failed call (bad UTF-8, too long, no memory) marks
 * the request broken, and a broken request is never allowed, so a caller that
 * drops a status still fails closed. reset makes it like new but keeps its
 * memory: from the second request on, filling allocates nothing. Evaluation
 * never does. The set must outlive its requests. */
typedef struct postern_request postern_request;

enum {
    POSTERN_BOUNDED = 1 /* the caller has a permissions boundary */
};

postern_request *postern_request_new(const postern_set *set, const postern_allocator *allocator,
                                     postern_error *error);
void postern_request_reset(postern_request *request);

/* Makes the request like new, for this set from now on. One request so serves
 * many sets, one after the other, and its memory stays in the processor's
 * caches. It allocates only when the set needs more room than any before it;
 * when there is none, POSTERN_NO_MEMORY is returned and the request stays with
 * the set it had, broken until the next bind or reset. */
int postern_request_bind(postern_request *request, const postern_set *set);

/* `*` for an anonymous caller, an ARN (user, root, assumed-role or
 * federated-user session), a service (`name.amazonaws.com`), or a canonical
 * user id. `flags`: POSTERN_BOUNDED or 0. Unset means anonymous. */
int postern_request_principal(postern_request *request, const char *text, size_t length,
                              int32_t flags);

/* `service:Name` in any letter case, and the full ARN. Both are required. */
int postern_request_action(postern_request *request, const char *text, size_t length);
int postern_request_resource(postern_request *request, const char *text, size_t length);

/* One value, replacing what the cell held. `key` is an index of the set. */
int postern_request_put(postern_request *request, uint32_t key, const char *text, size_t length);

/* An empty list, replacing what the cell held, and one more value for it.
 * The values of a list are appended before another key is touched. */
int postern_request_list(postern_request *request, uint32_t key);
int postern_request_append(postern_request *request, uint32_t key, const char *text,
                           size_t length);

int postern_request_unresolved(postern_request *request, uint32_t key);

void postern_request_free(postern_request *request);

/* ---- Evaluate ----------------------------------------------------------- */

typedef enum postern_outcome {
    POSTERN_IMPLICITLY_DENIED = 0,
    POSTERN_EXPLICITLY_DENIED,
    POSTERN_ALLOWED,
    POSTERN_UNDECIDED /* needs `key`; never an allow */
} postern_outcome;

/* How the Principal of the deciding Allow met the caller, weakest first (IAM
 * User Guide, "AWS JSON policy elements: Principal"). The flow decides what
 * each is worth. */
typedef enum postern_match {
    POSTERN_MATCH_NONE = 0,
    POSTERN_MATCH_ACCOUNT, /* the caller's account is named: it delegates */
    POSTERN_MATCH_ROLE,    /* the role behind the session is named */
    POSTERN_MATCH_WILD,    /* everybody is */
    POSTERN_MATCH_DIRECT,  /* the caller itself is named */
    POSTERN_MATCH_NA       /* the policy type has no Principal */
} postern_match;

typedef struct postern_decision {
    int32_t outcome;
    int32_t match;     /* of the deciding Allow */
    int32_t statement; /* index of the deciding statement in the set, or -1 */
    int32_t key;       /* undecided: the key that is needed, else -1 */
    int32_t status;    /* not POSTERN_OK: the request was unusable, denied */
} postern_decision;

/* Decides one request with the policies of one set and returns the outcome;
 * `decision`, if not NULL, gets the rest (IAM User Guide, "Policy evaluation
 * logic"). Any matching Deny decides; otherwise any matching Allow; otherwise
 * the request is implicitly denied. Order of policies and statements never
 * changes the outcome. Time is bounded by set size times request size; nothing
 * is allocated and nothing outside the core is called. */
int32_t postern_evaluate(const postern_set *set, postern_request *request,
                         postern_decision *decision);

/* ---- Question ----------------------------------------------------------- */

/* One call asked of several sets in one go, for a caller who asks the same
 * sets again and again: what stays the same is written down once, what differs
 * is put in its place before each call. Every text is the caller's and only
 * read during the call. */
enum {
    POSTERN_QUESTION_PIECES = 5,
    POSTERN_QUESTION_VALUES = 32,
    POSTERN_QUESTION_KEYS = 32,
    POSTERN_QUESTION_ASKS = 6
};

/* A set and how it sees the call. */
typedef struct postern_ask {
    const postern_set *set;
    postern_span principal;
    int32_t flags; /* as of postern_request_principal */
    /* By key of the set: which of the question's values it has, or -1. */
    int8_t values[POSTERN_QUESTION_KEYS];
} postern_ask;

typedef struct postern_question {
    postern_span action;
    postern_span resource[POSTERN_QUESTION_PIECES]; /* joined; NULL adds nothing */
    uint32_t skip; /* bytes of the last piece that are left out */
    uint32_t ask_count;
    postern_span values[POSTERN_QUESTION_VALUES]; /* NULL: the key is absent */
    postern_ask asks[POSTERN_QUESTION_ASKS];
    postern_decision decisions[POSTERN_QUESTION_ASKS]; /* what each set says */
} postern_question;

/* Asks every set of the question and returns what they say as one number: five
 * bits for each, the first lowest, outcome times 8 plus match. Returns -1 when
 * any of them is undecided or cannot be asked, whatever the others say; that is
 * no decision. `request` is scratch of any set's making, and bound to the last
 * set afterwards. */
int32_t postern_question_ask(postern_question *question, postern_request *request);

/* ---- Entry -------------------------------------------------------------- */

/* One set and the calls of one kind, for scripts whose calls into C are dear when
 * they pass anything but plain arguments. What stays the same (the set, which
 * condition keys values come for, what stands in the resource between its
 * pieces, values that change now and then) is said once; each decision is then
 * one call, which joins the resource, allocates nothing once it is warm, and
 * leaves nothing behind. A key that is neither given nor kept is absent. */
enum {
    POSTERN_ENTRY_PIECES = 4,
    POSTERN_ENTRY_VALUES = 4
};

typedef struct postern_entry postern_entry;

/* The set must outlive it. NULL: out of memory. */
postern_entry *postern_entry_new(const postern_set *set, const postern_allocator *allocator,
                                 postern_error *error);

/* Text in front of a piece of the resource, from 0; none at the start. It is
 * copied. POSTERN_NO_MEMORY, POSTERN_LIMIT, POSTERN_VALUE (not UTF-8), or
 * POSTERN_MISUSE (no such piece); then nothing has changed. */
int postern_entry_between(postern_entry *entry, uint32_t piece, const char *text, size_t length);

/* The key of the set that a value of each call is for, from 0; -1: the set has no
 * such key, and the value is left out. POSTERN_MISUSE: no such value or key. */
int postern_entry_key(postern_entry *entry, uint32_t value, int32_t key);

/* A value that a key has in every call from now on, until it is kept anew; NULL:
 * absent. It is copied. Statuses as of postern_entry_between. */
int postern_entry_keep(postern_entry *entry, uint32_t key, const char *text, size_t length);

/* Decides one call; the outcome. The texts are read during the call. A principal
 * of NULL is `*`. The last pieces of the resource may be NULL: they are not there,
 * nor is what stands in front of them. A value of NULL is absent, or what is
 * kept for its key. What cannot be taken denies, and the decision has the
 * status: also a value whose key nobody has said, and a piece behind one that
 * is NULL. */
int32_t postern_entry_decide(postern_entry *entry, const char *principal, size_t principal_length,
                             const char *action, size_t action_length, const char *piece0,
                             size_t length0, const char *piece1, size_t length1,
                             const char *piece2, size_t length2, const char *piece3,
                             size_t length3, const char *value0, size_t value0_length,
                             const char *value1, size_t value1_length, const char *value2,
                             size_t value2_length, const char *value3, size_t value3_length);

/* All of the last decision; denied before the first. Good as long as the entry. */
const postern_decision *postern_entry_decision(const postern_entry *entry);

void postern_entry_free(postern_entry *entry);

/* ---- Plain texts -------------------------------------------------------- */

/* Whether a text is one address in its one spelling: a dotted quad, or IPv6 as
 * RFC 5952 writes it and not one that stands for IPv4. 1 or 0. */
int32_t postern_address_plain(const char *text, size_t length);

/* The length of the path of a request target, up to its query, when nobody can
 * read it in two ways; else -1. `routed` is the path as a host decoded it, or
 * NULL; when it is given it has to be the target's path decoded once, otherwise
 * the target may hold nothing encoded. A path that is plain begins with `/` and
 * holds, decoded, no `%`, `\`, `;`, `#`, control character, encoded slash, empty
 * segment, or segment `.` or `..`, and is UTF-8. */
int32_t postern_path_plain(const char *target, size_t target_length, const char *routed,
                           size_t routed_length);

/* ---- Explain ------------------------------------------------------------ */

typedef enum postern_truth { POSTERN_NO = 0, POSTERN_YES, POSTERN_UNKNOWN } postern_truth;

typedef enum postern_element {
    POSTERN_ELEMENT_NONE = 0,
    POSTERN_ELEMENT_ACTION,
    POSTERN_ELEMENT_RESOURCE,
    POSTERN_ELEMENT_PRINCIPAL,
    POSTERN_ELEMENT_CONDITION
} postern_element;

/* One statement against one request. `failed` says for each element whether it
 * kept the statement from matching, as a bit 1 << postern_element; `failed_at`
 * is the first of them. */
typedef struct postern_verdict {
    int32_t result; /* postern_truth */
    int32_t match;
    int32_t failed_at;
    uint32_t failed;
    int32_t key; /* unknown: the key that is needed, else -1 */
} postern_verdict;

/* The same tests as evaluate, but every one of them is made and told. Nothing
 * is kept and nothing is allocated. POSTERN_MISUSE on an index out of range. */
int postern_explain_statement(const postern_set *set, postern_request *request,
                              uint32_t statement, postern_verdict *out);
int postern_explain_condition(const postern_set *set, postern_request *request,
                              uint32_t statement, uint32_t condition, postern_verdict *out);

/* A policy value with its ${variables} replaced, as it was compared. `out`
 * points into the request and holds until its next use. `out->text` is NULL
 * when a variable has no value. */
int postern_explain_value(const postern_set *set, postern_request *request, uint32_t statement,
                          uint32_t condition, uint32_t value, postern_span *out);

/* Whether one value of a statement meets the request on its own: of Action,
 * Resource or Principal by its place in the document (those of a Principal map
 * counted through), or for POSTERN_ELEMENT_CONDITION of condition `condition`,
 * which is not looked at otherwise. What negates is left out: a value of a Not
 * element or a negated operator meets what it names. A key that is absent is
 * met by Null alone. Coverage is counted with it: which values ever matter. */
int postern_explain_match(const postern_set *set, postern_request *request, uint32_t statement,
                          int32_t element, uint32_t condition, uint32_t value,
                          postern_verdict *out);

/* ---- Names -------------------------------------------------------------- */

/* Static text for an enum member, as decisions, logs and documents spell it;
 * NULL for a number that is none. */
const char *postern_status_name(int32_t status);
const char *postern_policy_type_name(int32_t policy_type);
const char *postern_outcome_name(int32_t outcome);
const char *postern_match_name(int32_t match);
const char *postern_element_name(int32_t element);

/* ffi:end */

#if defined(__GNUC__)
#pragma GCC visibility pop
#endif
#ifdef __cplusplus
}
#endif
#endif
