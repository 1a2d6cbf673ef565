/* A program like any other: the heap, printf, arguments, an exit code. */
#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv) {
  int *squares = malloc(1000 * sizeof *squares);
  long sum = 0;
  for (int i = 0; i < 1000; i++) squares[i] = i * i;
  for (int i = 0; i < 1000; i++) sum += squares[i];
  printf("hello %s, %d arguments, %ld %#x\n", argc > 1 ? argv[1] : "nobody", argc, sum, 0xbeefu);
  fprintf(stderr, "done\n");
  return 3;
}
