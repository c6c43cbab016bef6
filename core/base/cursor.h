/* cursor.h: the public header under the name that the inside of core uses. */
#pragma once

#include "core/cursor.h"
