/* Amazon Resource Names: arn:partition:service:region:account:resource. */
#ifndef POSTERN_ARN_H
#define POSTERN_ARN_H

#include "word.h"

typedef enum postern__arn_part {
    POSTERN__ARN_PREFIX, /* "arn" */
    POSTERN__ARN_PARTITION,
    POSTERN__ARN_SERVICE,
    POSTERN__ARN_REGION,
    POSTERN__ARN_ACCOUNT,
    POSTERN__ARN_RESOURCE, /* the rest; may hold colons */
    POSTERN__ARN_PARTS
} postern__arn_part;

typedef struct postern__arn {
    postern_span part[POSTERN__ARN_PARTS];
} postern__arn;

/* Splits at the first five colons; parts point into `text`. False, and `out`
 * not to be used, when there are fewer: such text is no ARN. */
bool postern__arn_split(postern_span text, postern__arn *out);

/* True for twelve digits. */
bool postern__is_account(postern_span text);

/* What follows the last `/`, or all of it. */
postern_span postern__last_path_part(postern_span text);

#endif
