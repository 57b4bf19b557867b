/* A unit of one function, so that its lists are relative to where it begins. */
#include "faults.h"

int alone(int n, struct part *part)
{
    int first = n * 3;
    int sum = 0;
    for (int i = 0; i < (n & 3) + 2; i++) {
        int here = single(i);
        if (here > 2) {
            int odd = sum / 2;
            total -= odd;
            sum -= odd + n;
        }
        sum += here + part->value;
    }
    while (part) {
        int high = (int)part->high + first;
        sum += high;
        total += sum;
        part = part->next;
    }
    int last = (int)total + sum;
    total++;
    return last + first;
}
