/* Why: the tests of evaluate, all of them made, none of them kept. Public in
 * postern.h; this header exists so that the file has its place in the order. */
#ifndef POSTERN_EXPLAIN_H
#define POSTERN_EXPLAIN_H

#include "evaluate.h"

#endif
