#include "evaluate.h"

#include "directory.h"

void postern__scene_init(postern__scene *scene, const postern_set *set, postern_request *request) {
    scene->set = set;
    scene->request = request;
    scene->notes = &request->notes;
    postern__request_begin(request);
    scene->action = (postern_span){request->action.items, request->action.count};
    scene->resource = (postern_span){request->resource.items, request->resource.count};
    scene->row = postern__request_row(request);
    scene->bench = (postern__bench){
        .pool = {.texts = POSTERN__ITEMS(set, texts, char),
                 .names = POSTERN__ITEMS(set, names, char),
                 .variables = POSTERN__ITEMS(set, variables, postern__variable)},
        .operands = POSTERN__ITEMS(set, operands, postern__operand),
        .parts = POSTERN__ITEMS(set, templates, postern__template),
        .ranges = POSTERN__ITEMS(set, ranges, char),
        .simd = set->simd,
        .row = &scene->row,
    };
}

/* ---- Elements ------------------------------------------------------------*/

static inline postern_truth action_matches(const postern__scene *scene, const postern__rule *rule) {
    const postern__template *templates =
        POSTERN__ITEMS(scene->set, templates, postern__template) + rule->actions.first;
    for (uint32_t i = 0; i < rule->actions.count; i++) {
        if (postern__glob_match(&templates[i].glob, scene->bench.pool.texts, scene->action)) {
            return rule->not_action ? POSTERN_NO : POSTERN_YES;
        }
    }
    return rule->not_action ? POSTERN_YES : POSTERN_NO;
}

postern_truth postern__action_matches(const postern__scene *scene, const postern__rule *rule) {
    return action_matches(scene, rule);
}

static inline postern_truth resource_matches(const postern__scene *scene, const postern__rule *rule,
                                             int32_t *key) {
    const postern__template *templates =
        POSTERN__ITEMS(scene->set, templates, postern__template) + rule->resources.first;
    postern_truth any = POSTERN_NO;
    /* A trust policy speaks of the role it is attached to. */
    if (!rule->has_resource) return POSTERN_YES;
    for (uint32_t i = 0; i < rule->resources.count && any != POSTERN_YES; i++) {
        if (templates[i].variables == 0) {
            bool one = postern__glob_match(&templates[i].glob, scene->bench.pool.texts, scene->resource);
            if (one) any = POSTERN_YES;
            continue;
        }
        postern_truth one =
            postern__template_match(&templates[i], &scene->bench, scene->resource, key);
        if (one != POSTERN_NO) any = one;
    }
    return rule->not_resource ? postern__truth_not(any) : any;
}

postern_truth postern__resource_matches(const postern__scene *scene, const postern__rule *rule,
                                        int32_t *key) {
    return resource_matches(scene, rule, key);
}

/* At a gateway endpoint a named account is its root user only (AWS PrivateLink
 * Guide, "Control access to VPC endpoints using endpoint policies"). */
postern__principal_list postern__rule_principals(const postern__scene *scene,
                                                 const postern__rule *rule) {
    int32_t symbol = scene->set->principal_arn;
    return (postern__principal_list){
        .principals =
            POSTERN__ITEMS(scene->set, principals, postern__principal) + rule->principals.first,
        .count = rule->principals.count,
        .roots_only = scene->set->policy_type == POSTERN_GATEWAY_ENDPOINT,
        .texts = scene->bench.pool.texts,
        .principal_arn = symbol >= 0 ? &scene->row.cells[symbol] : NULL,
        .row = &scene->row,
    };
}

/* NotPrincipal: a Deny for everybody who is not exempt. With Allow it never
 * matches; in a resource policy nobody with a permissions boundary is exempt
 * (IAM User Guide, "AWS JSON policy elements: NotPrincipal"). */
static void not_principal_finding(const postern__scene *scene, const postern__rule *rule,
                                  const postern__principal_list *list, postern__finding *out) {
    postern__caller *caller = &scene->request->caller;
    postern_truth exempt = postern__principal_exempts(list, caller);
    if (caller->bounded && scene->set->policy_type == POSTERN_RESOURCE) exempt = POSTERN_NO;
    if (rule->effect == POSTERN_ALLOW || exempt == POSTERN_YES) return;
    if (exempt == POSTERN_NO) out->sure = POSTERN_MATCH_WILD;
    else out->possible = POSTERN_MATCH_WILD;
}

static void some_principal_finding(const postern__scene *scene, const postern__rule *rule,
                                   postern__finding *out) {
    *out = (postern__finding){POSTERN_MATCH_NONE, POSTERN_MATCH_NONE, -1};
    postern__principal_list list = postern__rule_principals(scene, rule);
    if (rule->not_principal) {
        not_principal_finding(scene, rule, &list, out);
    } else {
        postern__principal_match(&list, &scene->request->caller, &out->sure, &out->possible);
    }
    if (out->possible != POSTERN_MATCH_NONE) out->key = scene->set->principal_arn;
}

/* Nobody is named, or everybody and nobody else: then there is nothing to ask. */
static inline postern_match plain_match(const postern__scene *scene, const postern__rule *rule) {
    if (!rule->has_principal) return POSTERN_MATCH_NA;
    const postern__principal *first =
        POSTERN__ITEMS(scene->set, principals, postern__principal) + rule->principals.first;
    bool everybody = !rule->not_principal && rule->principals.count == 1 &&
                     first->kind == POSTERN__NAMES_ANYONE;
    return everybody ? POSTERN_MATCH_WILD : POSTERN_MATCH_NONE;
}

static inline void principal_finding(const postern__scene *scene, const postern__rule *rule,
                                     postern__finding *out) {
    *out = (postern__finding){plain_match(scene, rule), POSTERN_MATCH_NONE, -1};
    if (out->sure == POSTERN_MATCH_NONE) some_principal_finding(scene, rule, out);
}

void postern__principal_finding(const postern__scene *scene, const postern__rule *rule,
                                postern__finding *out) {
    principal_finding(scene, rule, out);
}

/* ---- A statement ---------------------------------------------------------*/

/* A condition or a resource that is unknown leaves nothing sure. */
static void doubt(postern__finding *finding, int32_t key) {
    if (finding->sure > finding->possible) finding->possible = finding->sure;
    finding->sure = POSTERN_MATCH_NONE;
    finding->key = key;
}

/* What many statements share is tested for the first of them. */
static postern_truth test_condition(const postern__scene *scene,
                                    const postern__condition *condition, int32_t *key) {
    if (condition->memo == 0) return postern__condition_test(condition, &scene->bench, key);
    postern__memo *memo = POSTERN__AT(&scene->notes->memos, postern__memo, condition->memo - 1);
    if (memo->time != scene->notes->time) {
        memo->time = scene->notes->time;
        memo->key = -1;
        memo->truth = postern__condition_test(condition, &scene->bench, &memo->key);
    }
    if (memo->truth == POSTERN_UNKNOWN) *key = memo->key;
    return memo->truth;
}

/* False when the statement clearly does not match; then there is no finding.
 * `known`: an element that is known to match, and is not looked at. */
static bool find(const postern__scene *scene, const postern__rule *rule, postern_element known,
                 postern__finding *finding) {
    int32_t key = -1;
    if (known != POSTERN_ELEMENT_ACTION && action_matches(scene, rule) == POSTERN_NO) return false;
    postern_truth resource = known == POSTERN_ELEMENT_RESOURCE
                                 ? POSTERN_YES
                                 : resource_matches(scene, rule, &key);
    if (resource == POSTERN_NO) return false;
    principal_finding(scene, rule, finding);
    if (finding->sure == POSTERN_MATCH_NONE && finding->possible == POSTERN_MATCH_NONE) return false;
    if (resource == POSTERN_UNKNOWN) doubt(finding, key);
    const postern__condition *conditions =
        POSTERN__ITEMS(scene->set, conditions, postern__condition) + rule->tests;
    for (uint32_t i = 0; i < rule->conditions.count; i++) {
        postern_truth truth = test_condition(scene, &conditions[i], &key);
        if (truth == POSTERN_NO) return false;
        if (truth == POSTERN_UNKNOWN) doubt(finding, key);
    }
    return true;
}

postern__finding postern__rule_finding(const postern__scene *scene, const postern__rule *rule) {
    static const postern__finding nothing = {POSTERN_MATCH_NONE, POSTERN_MATCH_NONE, -1};
    postern__finding finding;
    return find(scene, rule, POSTERN_ELEMENT_NONE, &finding) ? finding : nothing;
}

/* ---- The decision --------------------------------------------------------*/

/* What a match is worth to the flow that combines gates: whether the caller or
 * everybody is named makes no difference there. */
static int worth(postern_match match) {
    return match == POSTERN_MATCH_WILD ? POSTERN_MATCH_DIRECT : match;
}

static int32_t decide(postern_decision *decision, int32_t outcome) {
    decision->outcome = outcome;
    return outcome;
}

/* Deny first: one that matches ends it, one that may match leaves the request
 * undecided whatever the Allows say. */
static bool sweep_denies(const postern__scene *scene, postern_decision *decision) {
    const uint32_t *order = POSTERN__ITEMS(scene->set, order, uint32_t);
    for (uint32_t i = 0; i < scene->set->denies; i++) {
        postern__finding finding;
        const postern__rule *rule = postern__set_rule(scene->set, order[i]);
        if (!find(scene, rule, POSTERN_ELEMENT_NONE, &finding)) continue;
        if (finding.sure != POSTERN_MATCH_NONE) {
            decision->statement = (int32_t)order[i];
            decision->key = -1;
            decide(decision, POSTERN_EXPLICITLY_DENIED);
            return true;
        }
        if (finding.possible != POSTERN_MATCH_NONE && decision->key < 0) {
            decision->key = finding.key;
            decide(decision, POSTERN_UNDECIDED);
        }
    }
    return decision->outcome == POSTERN_UNDECIDED;
}

/* The strongest Allow decides, the first of equals. One that may be stronger
 * still leaves it undecided. */
static int32_t sweep_allows(const postern__scene *scene, postern_decision *decision) {
    const uint32_t *order = POSTERN__ITEMS(scene->set, order, uint32_t);
    postern_match possible = POSTERN_MATCH_NONE;
    for (uint32_t i = scene->set->denies; i < scene->set->rules.count; i++) {
        postern__finding finding;
        const postern__rule *rule = postern__set_rule(scene->set, order[i]);
        if (!find(scene, rule, POSTERN_ELEMENT_NONE, &finding)) continue;
        /* Compared as they are, so that their order cannot change the answer. */
        if ((int32_t)finding.sure > decision->match) {
            decision->match = (int32_t)finding.sure;
            decision->statement = (int32_t)order[i];
        }
        if (worth(finding.possible) > worth(possible)) {
            possible = finding.possible;
            decision->key = finding.key;
        }
    }
    if (worth(possible) > worth((postern_match)decision->match)) {
        decision->statement = -1;
        decision->match = POSTERN_MATCH_NONE;
        return decide(decision, POSTERN_UNDECIDED);
    }
    decision->key = -1;
    return decide(decision, decision->match != POSTERN_MATCH_NONE ? POSTERN_ALLOWED
                                                                 : POSTERN_IMPLICITLY_DENIED);
}

void postern__evaluate_each(const postern__scene *scene, postern_decision *decision) {
    if (!sweep_denies(scene, decision)) sweep_allows(scene, decision);
}

/* ---- The same, out of order -----------------------------------------------
 *
 * Candidates come in no order, so what the sweeps above get by being first is
 * remembered with the number of its statement: of Denies as of Allows, those
 * with the lower number come first.                                           */

struct tally {
    const postern__scene *scene;
    int64_t deny, doubtful_deny; /* statements, -1: none */
    int64_t allow, doubtful_allow;
    postern_match match, doubtful_match;
    int32_t deny_key, allow_key;
};

static bool comes_first(int64_t rule, int64_t than) { return than < 0 || rule < than; }

static void tally_deny(struct tally *tally, int64_t rule, const postern__finding *finding) {
    if (finding->sure != POSTERN_MATCH_NONE) {
        if (comes_first(rule, tally->deny)) tally->deny = rule;
    } else if (finding->possible != POSTERN_MATCH_NONE && comes_first(rule, tally->doubtful_deny)) {
        tally->doubtful_deny = rule;
        tally->deny_key = finding->key;
    }
}

static void tally_allow(struct tally *tally, int64_t rule, const postern__finding *finding) {
    postern_match sure = finding->sure, possible = finding->possible;
    if (sure > tally->match ||
        (sure != POSTERN_MATCH_NONE && sure == tally->match && rule < tally->allow)) {
        tally->match = sure;
        tally->allow = rule;
    }
    if (worth(possible) > worth(tally->doubtful_match) ||
        (possible != POSTERN_MATCH_NONE && worth(possible) == worth(tally->doubtful_match) &&
         rule < tally->doubtful_allow)) {
        tally->doubtful_match = possible;
        tally->doubtful_allow = rule;
        tally->allow_key = finding->key;
    }
}

static void judge(void *context, const uint32_t *rules, uint32_t count, postern_element known) {
    struct tally *tally = context;
    const postern__scene *scene = tally->scene;
    for (uint32_t i = 0; i < count; i++) {
        const postern__rule *rule = postern__set_rule(scene->set, rules[i]);
        if (rule->mark > 0) {
            uint32_t *mark = POSTERN__AT(&scene->notes->marks, uint32_t, rule->mark - 1);
            if (*mark == scene->notes->time) continue;
            *mark = scene->notes->time;
        }
        postern__finding finding;
        if (!find(scene, rule, known, &finding)) continue;
        if (rule->effect == POSTERN_DENY) tally_deny(tally, rules[i], &finding);
        else tally_allow(tally, rules[i], &finding);
    }
}

static void evaluate_candidates(const postern__scene *scene, postern_decision *decision) {
    static const postern__rule no_rule;
    postern__principal_list list = postern__rule_principals(scene, &no_rule);
    postern__directory_question question = {scene->action, scene->resource, &list,
                                            &scene->request->caller};
    struct tally tally = {.scene = scene, .deny = -1, .doubtful_deny = -1, .allow = -1,
                          .doubtful_allow = -1};
    postern__directory_find(scene->set, &question, judge, &tally);
    if (tally.deny >= 0) {
        decision->statement = (int32_t)tally.deny;
        decide(decision, POSTERN_EXPLICITLY_DENIED);
    } else if (tally.doubtful_deny >= 0) {
        decision->key = tally.deny_key;
        decide(decision, POSTERN_UNDECIDED);
    } else if (worth(tally.doubtful_match) > worth(tally.match)) {
        decision->key = tally.allow_key;
        decide(decision, POSTERN_UNDECIDED);
    } else if (tally.allow >= 0) {
        decision->match = (int32_t)tally.match;
        decision->statement = (int32_t)tally.allow;
        decide(decision, POSTERN_ALLOWED);
    }
}

int32_t postern_evaluate(const postern_set *set, postern_request *request,
                         postern_decision *decision) {
    postern_decision own;
    if (decision == NULL) decision = &own;
    *decision = (postern_decision){
        .outcome = POSTERN_IMPLICITLY_DENIED, .statement = -1, .key = -1};
    decision->status = postern__request_ready(request, set);
    if (decision->status != POSTERN_OK) return decision->outcome;
    postern__scene scene;
    postern__scene_init(&scene, set, request);
    if (set->directory.count > 0) evaluate_candidates(&scene, decision);
    else postern__evaluate_each(&scene, decision);
    return decision->outcome;
}
