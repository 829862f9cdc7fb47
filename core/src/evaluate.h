/* One statement against one request, and from all of them the decision. */
#ifndef POSTERN_EVALUATE_H
#define POSTERN_EVALUATE_H

#include "request.h"

/* Everything a statement is judged by, collected once per evaluation. */
typedef struct postern__scene {
    const postern_set *set;
    postern_request *request;
    postern__notes *notes;
    postern_span action;
    postern_span resource;
    postern__row row;
    postern__bench bench;
} postern__scene;

/* `scene` points into itself and into the request: build it where it stays,
 * and use it before the request changes. */
void postern__scene_init(postern__scene *scene, const postern_set *set, postern_request *request);

/* What a statement says. `sure` is how it surely matches (NONE: it does not),
 * `possible` how it would if unresolved cells turned out right. */
typedef struct postern__finding {
    postern_match sure;
    postern_match possible;
    int32_t key; /* the cell that stands between the two, or -1 */
} postern__finding;

/* Each element on its own; `key` is set when the answer is unknown. */
postern_truth postern__action_matches(const postern__scene *scene, const postern__rule *rule);
postern_truth postern__resource_matches(const postern__scene *scene, const postern__rule *rule,
                                        int32_t *key);
void postern__principal_finding(const postern__scene *scene, const postern__rule *rule,
                                postern__finding *out);

/* The values of Principal or NotPrincipal, ready to meet the caller. */
postern__principal_list postern__rule_principals(const postern__scene *scene,
                                                 const postern__rule *rule);

/* All elements, cheapest first, stopping at the first clear no. */
postern__finding postern__rule_finding(const postern__scene *scene, const postern__rule *rule);

/* Decides by trying every statement in turn, whatever the size of the set: what
 * the directory of a set is compared with. The request has to be ready. */
void postern__evaluate_each(const postern__scene *scene, postern_decision *decision);

#endif
