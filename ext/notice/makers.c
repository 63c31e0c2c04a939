#include "notice/makers.h"

NoticeMakers notice_makers;
