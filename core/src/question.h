/* One call asked of several sets in one go; see postern.h. */
#ifndef POSTERN_QUESTION_H
#define POSTERN_QUESTION_H

#include "evaluate.h"

#endif
