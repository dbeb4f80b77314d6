/* A name server for one process, to be preloaded: names that end in ".test" resolve to this machine, and the lookup of
 * a held name does not return. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <netdb.h>
#include <pthread.h>
#include <string.h>

void hold_name(const char* name);
void let_names_go(void);
int names_asked(void);

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static char held[64];
static int asked; /* lookups that are held now */

void hold_name(const char* name) {
  pthread_mutex_lock(&mutex);
  strncpy(held, name, sizeof held - 1);
  pthread_mutex_unlock(&mutex);
}

void let_names_go(void) {
  pthread_mutex_lock(&mutex);
  held[0] = '\0';
  pthread_cond_broadcast(&changed);
  while (asked != 0) pthread_cond_wait(&changed, &mutex);
  pthread_mutex_unlock(&mutex);
}

int names_asked(void) {
  int count;
  pthread_mutex_lock(&mutex);
  count = asked;
  pthread_mutex_unlock(&mutex);
  return count;
}

static void ask(const char* name) {
  pthread_mutex_lock(&mutex);
  ++asked;
  while (strcmp(held, name) == 0) pthread_cond_wait(&changed, &mutex);
  --asked;
  pthread_cond_broadcast(&changed);
  pthread_mutex_unlock(&mutex);
}

int getaddrinfo(const char* name, const char* service, const struct addrinfo* hints, struct addrinfo** out) {
  int (*real)(const char*, const char*, const struct addrinfo*, struct addrinfo**);
  *(void**)&real = dlsym(RTLD_NEXT, "getaddrinfo");
  const size_t length = name == NULL ? 0 : strlen(name);
  const int is_ours = length > 5 && strcmp(name + length - 5, ".test") == 0 &&
                      (hints == NULL || (hints->ai_flags & AI_NUMERICHOST) == 0);
  if (is_ours) ask(name);
  return real(is_ours ? "127.0.0.1" : name, service, hints, out);
}
