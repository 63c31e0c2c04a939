#include "index/address_map.h"

AddressSlot address_map_nothing[1];
