/* Principal: who a policy names, who calls, and how the two meet (IAM User
 * Guide, "AWS JSON policy elements: Principal"). */
#ifndef POSTERN_PRINCIPAL_H
#define POSTERN_PRINCIPAL_H

#include "arn.h"
#include "value.h"

typedef enum postern__caller_kind {
    POSTERN__UNREAD, /* nobody has asked for more than its text yet */
    POSTERN__ANONYMOUS,
    POSTERN__ROOT_USER,
    POSTERN__USER,
    POSTERN__SESSION,        /* of an assumed role */
    POSTERN__FEDERATED_USER, /* session of a user */
    POSTERN__OTHER           /* a service, a canonical user, a provider: its text is all */
} postern__caller_kind;

/* Parts point into `text`, and are there once it is read. It is read by whoever
 * needs it, for most statements name everybody, or the caller by its text. */
typedef struct postern__caller {
    postern__caller_kind kind;
    bool bounded; /* has a permissions boundary */
    postern_span text;
    postern_span partition;
    postern_span account; /* empty: none */
    postern_span name;    /* sessions: the role's or the federated user's, without its path */
} postern__caller;

/* Takes the text apart, where that was not done before. */
void postern__caller_read(postern__caller *caller);

/* What is read later keeps `kind` alone: the rest holds nothing before. */
static inline void postern__caller_set(postern__caller *caller, postern_span text, bool bounded) {
    caller->kind = POSTERN__UNREAD;
    caller->bounded = bounded;
    caller->text = text;
}

/* The same, read at once. */
static inline postern__caller postern__caller_parse(postern_span text, bool bounded) {
    postern__caller caller;
    postern__caller_set(&caller, text, bounded);
    postern__caller_read(&caller);
    return caller;
}

typedef enum postern__principal_kind {
    POSTERN__NAMES_ANYONE,
    POSTERN__NAMES_ACCOUNT, /* twelve digits, or the root ARN, which is the same */
    POSTERN__NAMES_USER,    /* and federated-user sessions of that user */
    POSTERN__NAMES_ROLE,    /* its sessions */
    POSTERN__NAMES_SESSION, /* one session, of a role or a user */
    POSTERN__NAMES_OTHER,   /* a service, a provider, a canonical user */
    POSTERN__NAMES_NOBODY   /* a unique id, a partial wildcard: never matches */
} postern__principal_kind;

typedef enum postern__principal_type {
    POSTERN__AWS,
    POSTERN__SERVICE,
    POSTERN__FEDERATED,
    POSTERN__CANONICAL_USER,
    POSTERN__PRINCIPAL_TYPES
} postern__principal_type;

/* The type that a member name of the Principal map stands for, or
 * POSTERN__PRINCIPAL_TYPES. Case matters. */
postern__principal_type postern__principal_type_of(postern_span name);

/* One value of Principal, its parts as offsets in the texts. */
typedef struct postern__principal {
    uint32_t kind;
    uint32_t text, text_length;
    uint32_t partition, partition_length; /* empty: any, for a bare account */
    uint32_t account, account_length;
    uint32_t name, name_length;
} postern__principal;

/* Classifies `text`, which stands at `offset` of the texts. */
postern__principal postern__principal_parse(postern__principal_type type, postern_span text,
                                            uint32_t offset);

/* What one list of principals says of a caller. */
typedef struct postern__principal_list {
    const postern__principal *principals;
    uint32_t count;
    bool roots_only; /* a named account is its root user and nobody else */
    const char *texts;
    const postern__cell *principal_arn; /* cell of aws:PrincipalArn, or NULL */
    const postern__row *row;
} postern__principal_list;

/* The strongest way in which a Principal list names the caller for sure, and
 * the strongest way in which it perhaps does: where aws:PrincipalArn is present,
 * a role is compared whole, path included, so while that is unresolved a role
 * is only possible. POSTERN_MATCH_NONE where there is no way. */
void postern__principal_match(const postern__principal_list *list, postern__caller *caller,
                              postern_match *sure, postern_match *possible);

/* Numbers under which what a policy names is found by who calls: whenever a
 * principal may meet a caller for sure or perhaps, they share one of their keys,
 * other than POSTERN__NAMES_ANYONE, which meets all. Sharing one means nothing. */
enum { POSTERN__PRINCIPAL_KEYS = 3, POSTERN__CALLER_KEYS = 4 };

/* How many keys there are: 0 for what never matches, and for anyone. */
uint32_t postern__principal_keys(const postern__principal *principal, const char *texts,
                                 uint64_t keys[POSTERN__PRINCIPAL_KEYS]);

/* The list only says what is known of aws:PrincipalArn. */
uint32_t postern__caller_keys(const postern__principal_list *list, postern__caller *caller,
                              uint64_t keys[POSTERN__CALLER_KEYS]);

/* Whether a NotPrincipal list exempts the caller. A listed account exempts its
 * members only if nothing but accounts is listed. */
postern_truth postern__principal_exempts(const postern__principal_list *list,
                                         postern__caller *caller);

#endif
