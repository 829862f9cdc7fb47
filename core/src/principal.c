#include "principal.h"

/* ---- Callers -------------------------------------------------------------*/

/* `kind/rest`: true and the rest when `resource` starts with `kind`, a slash
 * included. */
static bool after(postern_span resource, postern_span kind, postern_span *rest) {
    if (!postern__span_starts(resource, kind)) return false;
    *rest = postern__span_from(resource, kind.length);
    return true;
}

static bool is_arn(const postern__arn *arn) {
    return postern__span_equal(arn->part[POSTERN__ARN_PREFIX], POSTERN__SPAN("arn"));
}

static postern__caller_kind iam_caller(postern_span resource) {
    postern_span rest;
    if (postern__span_equal(resource, POSTERN__SPAN("root"))) return POSTERN__ROOT_USER;
    return after(resource, POSTERN__SPAN("user/"), &rest) ? POSTERN__USER : POSTERN__OTHER;
}

static postern__caller_kind sts_caller(postern_span resource, postern_span *name) {
    postern_span rest;
    if (after(resource, POSTERN__SPAN("federated-user/"), &rest)) {
        *name = postern__last_path_part(rest);
        return POSTERN__FEDERATED_USER;
    }
    if (!after(resource, POSTERN__SPAN("assumed-role/"), &rest)) return POSTERN__OTHER;
    *name = (postern_span){rest.text, postern__span_find(rest, 0, '/')};
    return POSTERN__SESSION;
}

/* Splits like postern__arn_split, as far as a caller needs it: nobody calls from
 * another service than these two. */
static void read_arn(postern__caller *caller) {
    static const char iam[] = ":iam:", sts[] = ":sts:";
    enum { PREFIX = 4, SERVICE = 5 };
    postern_span text = caller->text, name = {NULL, 0};
    if (!postern__span_starts(text, POSTERN__SPAN("arn:"))) return;
    size_t partition = postern__word_search(text, PREFIX, ':');
    if (text.length - partition < SERVICE) return;
    bool is_user = memcmp(text.text + partition, iam, SERVICE) == 0;
    if (!is_user && memcmp(text.text + partition, sts, SERVICE) != 0) return;
    size_t region = postern__word_search(text, partition + SERVICE, ':');
    if (region == text.length) return;
    size_t account = postern__word_search(text, region + 1, ':');
    if (account == text.length) return;
    postern_span resource = {text.text + account + 1, text.length - account - 1};
    caller->kind = is_user ? iam_caller(resource) : sts_caller(resource, &name);
    if (caller->kind == POSTERN__OTHER) return;
    caller->partition = (postern_span){text.text + PREFIX, partition - PREFIX};
    caller->account = (postern_span){text.text + region + 1, account - region - 1};
    caller->name = name;
}

void postern__caller_read(postern__caller *caller) {
    postern_span none = {NULL, 0};
    if (caller->kind != POSTERN__UNREAD) return;
    caller->partition = caller->account = caller->name = none;
    caller->kind = postern__span_equal(caller->text, POSTERN__SPAN("*")) ? POSTERN__ANONYMOUS
                                                                        : POSTERN__OTHER;
    read_arn(caller);
}

/* ---- Policy values -------------------------------------------------------*/

postern__principal_type postern__principal_type_of(postern_span name) {
    static const postern_span names[] = {{"AWS", 3},
                                         {"Service", 7},
                                         {"Federated", 9},
                                         {"CanonicalUser", 13}};
    for (int i = 0; i < POSTERN__PRINCIPAL_TYPES; i++) {
        if (postern__span_equal(name, names[i])) return (postern__principal_type)i;
    }
    return POSTERN__PRINCIPAL_TYPES;
}

static bool has_wildcard(postern_span text) {
    return postern__span_find(text, 0, '*') < text.length ||
           postern__span_find(text, 0, '?') < text.length;
}

static postern__principal_kind classify_arn(const postern__arn *arn, postern_span *name) {
    postern_span service = arn->part[POSTERN__ARN_SERVICE];
    postern_span resource = arn->part[POSTERN__ARN_RESOURCE], rest;
    if (!is_arn(arn) || !postern__is_account(arn->part[POSTERN__ARN_ACCOUNT])) {
        return POSTERN__NAMES_NOBODY;
    }
    if (postern__span_equal(service, POSTERN__SPAN("sts"))) {
        bool session = after(resource, POSTERN__SPAN("assumed-role/"), &rest) ||
                       after(resource, POSTERN__SPAN("federated-user/"), &rest);
        return session ? POSTERN__NAMES_SESSION : POSTERN__NAMES_NOBODY;
    }
    if (!postern__span_equal(service, POSTERN__SPAN("iam"))) return POSTERN__NAMES_NOBODY;
    if (postern__span_equal(resource, POSTERN__SPAN("root"))) return POSTERN__NAMES_ACCOUNT;
    bool user = after(resource, POSTERN__SPAN("user/"), &rest);
    if (!user && !after(resource, POSTERN__SPAN("role/"), &rest)) return POSTERN__NAMES_NOBODY;
    *name = postern__last_path_part(rest);
    return user ? POSTERN__NAMES_USER : POSTERN__NAMES_ROLE;
}

static postern__principal_kind classify(postern__principal_type type, postern_span text,
                                        postern_span *partition, postern_span *account,
                                        postern_span *name) {
    postern__arn arn;
    if (type == POSTERN__AWS && postern__span_equal(text, POSTERN__SPAN("*"))) {
        return POSTERN__NAMES_ANYONE;
    }
    if (has_wildcard(text) || text.length == 0) return POSTERN__NAMES_NOBODY;
    if (type != POSTERN__AWS) return POSTERN__NAMES_OTHER;
    if (postern__is_account(text)) {
        *account = text;
        return POSTERN__NAMES_ACCOUNT;
    }
    if (!postern__arn_split(text, &arn)) return POSTERN__NAMES_NOBODY;
    *partition = arn.part[POSTERN__ARN_PARTITION];
    *account = arn.part[POSTERN__ARN_ACCOUNT];
    return classify_arn(&arn, name);
}

postern__principal postern__principal_parse(postern__principal_type type, postern_span text,
                                            uint32_t offset) {
    postern_span partition = {text.text, 0}, account = {text.text, 0}, name = {text.text, 0};
    postern__principal_kind kind = classify(type, text, &partition, &account, &name);
    return (postern__principal){
        .kind = (uint32_t)kind,
        .text = offset,
        .text_length = (uint32_t)text.length,
        .partition = offset + (uint32_t)(partition.text - text.text),
        .partition_length = (uint32_t)partition.length,
        .account = offset + (uint32_t)(account.text - text.text),
        .account_length = (uint32_t)account.length,
        .name = offset + (uint32_t)(name.text - text.text),
        .name_length = (uint32_t)name.length,
    };
}

/* ---- Meeting -------------------------------------------------------------*/

/* The role ARN that aws:PrincipalArn names, when it names one of the caller's
 * account; else empty. */
static postern_span caller_role(const postern__principal_list *list,
                                const postern__caller *caller) {
    postern_span none = {NULL, 0}, rest;
    postern__arn arn;
    if (list->principal_arn == NULL || list->principal_arn->state != POSTERN__SINGLE) return none;
    postern_span text =
        postern__value_text(list->row, &list->row->values[list->principal_arn->first]);
    if (!postern__arn_split(text, &arn) ||
        !postern__span_equal(arn.part[POSTERN__ARN_SERVICE], POSTERN__SPAN("iam")) ||
        !postern__span_equal(arn.part[POSTERN__ARN_ACCOUNT], caller->account) ||
        !after(arn.part[POSTERN__ARN_RESOURCE], POSTERN__SPAN("role/"), &rest)) {
        return none;
    }
    return text;
}

static postern_truth match_role(const postern__principal_list *list, postern_span role,
                                postern_span name, const postern__caller *caller) {
    if (list->principal_arn != NULL && list->principal_arn->state == POSTERN__UNRESOLVED) {
        return POSTERN_UNKNOWN;
    }
    postern_span whole = caller_role(list, caller);
    bool same = whole.length > 0 ? postern__span_equal(whole, role)
                                 : postern__span_equal(caller->name, name);
    return same ? POSTERN_YES : POSTERN_NO;
}

/* An ARN names an account of its own partition; twelve digits name it in any. */
static bool same_account(const postern__principal_list *list, const postern__principal *principal,
                         const postern__caller *caller) {
    postern_span partition = {list->texts + principal->partition, principal->partition_length};
    postern_span account = {list->texts + principal->account, principal->account_length};
    return caller->account.length > 0 && postern__span_equal(account, caller->account) &&
           (partition.length == 0 || postern__span_equal(partition, caller->partition));
}

static bool same_text(const postern__principal_list *list, const postern__principal *principal,
                      const postern__caller *caller) {
    return principal->text_length == caller->text.length &&
           postern__ends_equal(list->texts + principal->text, caller->text.text,
                               caller->text.length);
}

/* How one value meets a caller that it does not name by its text; it is read. */
static postern_truth match_part(const postern__principal_list *list,
                                const postern__principal *principal,
                                const postern__caller *caller, postern_match *match) {
    postern_span text = {list->texts + principal->text, principal->text_length};
    postern_span name = {list->texts + principal->name, principal->name_length};
    postern_truth truth = POSTERN_NO;
    switch ((postern__principal_kind)principal->kind) {
    case POSTERN__NAMES_ACCOUNT:
        if ((list->roots_only && caller->kind != POSTERN__ROOT_USER) ||
            !same_account(list, principal, caller)) {
            return POSTERN_NO;
        }
        *match = POSTERN_MATCH_ACCOUNT;
        return POSTERN_YES;
    case POSTERN__NAMES_USER:
        if (caller->kind != POSTERN__FEDERATED_USER || !postern__span_equal(name, caller->name) ||
            !same_account(list, principal, caller)) {
            return POSTERN_NO;
        }
        *match = POSTERN_MATCH_ROLE;
        return POSTERN_YES;
    case POSTERN__NAMES_ROLE:
        if (caller->kind == POSTERN__SESSION && same_account(list, principal, caller)) {
            truth = match_role(list, text, name, caller);
        }
        if (truth != POSTERN_NO) *match = POSTERN_MATCH_ROLE;
        return truth;
    default: return POSTERN_NO;
    }
}

/* How one value meets the caller; `match` is NONE only for a clear no. */
static inline postern_truth match_one(const postern__principal_list *list,
                                      const postern__principal *principal,
                                      postern__caller *caller, postern_match *match) {
    *match = POSTERN_MATCH_NONE;
    switch ((postern__principal_kind)principal->kind) {
    case POSTERN__NAMES_ANYONE: *match = POSTERN_MATCH_WILD; return POSTERN_YES;
    case POSTERN__NAMES_NOBODY: return POSTERN_NO;
    case POSTERN__NAMES_USER:
        if (same_text(list, principal, caller)) break;
        postern__caller_read(caller);
        return match_part(list, principal, caller, match);
    case POSTERN__NAMES_ACCOUNT:
    case POSTERN__NAMES_ROLE:
        postern__caller_read(caller);
        return match_part(list, principal, caller, match);
    case POSTERN__NAMES_SESSION:
        if (!same_text(list, principal, caller)) return POSTERN_NO;
        break;
    case POSTERN__NAMES_OTHER:
        /* A user that is named under Service stays a user: no match. */
        if (!same_text(list, principal, caller)) return POSTERN_NO;
        postern__caller_read(caller);
        if (caller->kind != POSTERN__OTHER) return POSTERN_NO;
        break;
    }
    *match = POSTERN_MATCH_DIRECT;
    return POSTERN_YES;
}

void postern__principal_match(const postern__principal_list *list, postern__caller *caller,
                              postern_match *sure, postern_match *possible) {
    *sure = *possible = POSTERN_MATCH_NONE;
    for (uint32_t i = 0; i < list->count; i++) {
        postern_match one;
        postern_truth truth = match_one(list, &list->principals[i], caller, &one);
        if (truth == POSTERN_YES && one > *sure) *sure = one;
        if (truth == POSTERN_UNKNOWN && one > *possible) *possible = one;
    }
}

postern_truth postern__principal_exempts(const postern__principal_list *list,
                                         postern__caller *caller) {
    bool only_accounts = true;
    for (uint32_t i = 0; i < list->count; i++) {
        if (list->principals[i].kind != POSTERN__NAMES_ACCOUNT) only_accounts = false;
    }
    postern_truth exempt = POSTERN_NO;
    for (uint32_t i = 0; i < list->count; i++) {
        postern_match one;
        postern_truth truth = match_one(list, &list->principals[i], caller, &one);
        if (truth == POSTERN_YES && one == POSTERN_MATCH_ACCOUNT && !only_accounts) continue;
        if (truth == POSTERN_YES) return POSTERN_YES;
        if (truth == POSTERN_UNKNOWN) exempt = POSTERN_UNKNOWN;
    }
    return exempt;
}

/* ---- Keys ----------------------------------------------------------------*/

enum key_kind { BY_TEXT, BY_ACCOUNT, BY_USER_NAME, BY_ROLE, BY_ROLE_NAME, BY_ROLE_ACCOUNT };

static uint64_t mixed(uint64_t hash, uint64_t word) {
    hash = (hash ^ word) * UINT64_C(0xD6E8FEB86659FD93);
    return hash ^ hash >> 32;
}

/* Eight bytes at a time; the length is in it, so that "a", "b" is not "ab", "". */
static uint64_t hash_bytes(uint64_t hash, postern_span text) {
    uint64_t word = 0;
    size_t at = 0;
    for (; at + 8 <= text.length; at += 8) {
        memcpy(&word, text.text + at, sizeof word);
        hash = mixed(hash, word);
    }
    if (at > 0) {
        memcpy(&word, text.text + text.length - 8, sizeof word); /* some of it again */
    } else {
        for (; at < text.length; at++) word = word << 8 | (unsigned char)text.text[at];
    }
    return mixed(mixed(hash, word), text.length);
}

static uint64_t key_of(enum key_kind kind, postern_span first, postern_span second) {
    uint64_t hash = hash_bytes(UINT64_C(0xCBF29CE484222325) + (uint64_t)kind, first);
    hash = hash_bytes(hash, second);
    return (hash ^ hash >> 32) * UINT64_C(0xD6E8FEB86659FD93);
}

uint32_t postern__principal_keys(const postern__principal *principal, const char *texts,
                                 uint64_t keys[POSTERN__PRINCIPAL_KEYS]) {
    postern_span none = {NULL, 0};
    postern_span text = {texts + principal->text, principal->text_length};
    postern_span account = {texts + principal->account, principal->account_length};
    postern_span name = {texts + principal->name, principal->name_length};
    uint32_t count = 0;
    switch ((postern__principal_kind)principal->kind) {
    case POSTERN__NAMES_ANYONE:
    case POSTERN__NAMES_NOBODY: break;
    case POSTERN__NAMES_ACCOUNT: keys[count++] = key_of(BY_ACCOUNT, account, none); break;
    case POSTERN__NAMES_USER:
        keys[count++] = key_of(BY_TEXT, text, none);
        keys[count++] = key_of(BY_USER_NAME, account, name);
        break;
    case POSTERN__NAMES_ROLE: /* see match_role: whole, by name, or not known yet */
        keys[count++] = key_of(BY_ROLE, text, none);
        keys[count++] = key_of(BY_ROLE_NAME, account, name);
        keys[count++] = key_of(BY_ROLE_ACCOUNT, account, none);
        break;
    case POSTERN__NAMES_SESSION:
    case POSTERN__NAMES_OTHER: keys[count++] = key_of(BY_TEXT, text, none); break;
    }
    return count;
}

static uint64_t role_key(const postern__principal_list *list, const postern__caller *caller) {
    postern_span none = {NULL, 0};
    if (list->principal_arn != NULL && list->principal_arn->state == POSTERN__UNRESOLVED) {
        return key_of(BY_ROLE_ACCOUNT, caller->account, none);
    }
    postern_span whole = caller_role(list, caller);
    return whole.length > 0 ? key_of(BY_ROLE, whole, none)
                            : key_of(BY_ROLE_NAME, caller->account, caller->name);
}

uint32_t postern__caller_keys(const postern__principal_list *list, postern__caller *caller,
                              uint64_t keys[POSTERN__CALLER_KEYS]) {
    postern_span none = {NULL, 0};
    uint32_t count = 0;
    postern__caller_read(caller);
    keys[count++] = key_of(BY_TEXT, caller->text, none);
    if (caller->account.length == 0) return count;
    keys[count++] = key_of(BY_ACCOUNT, caller->account, none);
    if (caller->kind == POSTERN__FEDERATED_USER) {
        keys[count++] = key_of(BY_USER_NAME, caller->account, caller->name);
    }
    if (caller->kind == POSTERN__SESSION) keys[count++] = role_key(list, caller);
    return count;
}
