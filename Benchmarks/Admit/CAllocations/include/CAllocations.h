/// How many blocks of memory this process has asked for.
#ifndef CALLOCATIONS_H
#define CALLOCATIONS_H

unsigned long long allocationsSoFar(void);

#endif
