#include "value.h"

#include "symbol.h"

void postern__value_read(postern__value *value, postern_span text, uint32_t uses) {
    value->asked |= (uint16_t)uses;
    if ((uses & POSTERN__USE_ADDRESS) != 0 && postern__address_parse(text, &value->address)) {
        value->parsed |= POSTERN__USE_ADDRESS;
    }
    if ((uses & POSTERN__USE_INSTANT) != 0 && postern__instant_parse(text, &value->instant)) {
        value->parsed |= POSTERN__USE_INSTANT;
    }
    if ((uses & POSTERN__USE_BOOL) != 0 && postern__bool_parse(text, &value->boolean)) {
        value->parsed |= POSTERN__USE_BOOL;
    }
}
