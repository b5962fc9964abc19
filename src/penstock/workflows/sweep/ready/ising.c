/* The two-dimensional Ising model on an L x L torus, J = k = 1, by Metropolis' method.
 *
 * Reads ising.inpt, writes ising.out: a line a measured sweep with the energy and the magnetisation, both per spin.
 * Every second of work, and when it is asked to end (SIGTERM), it writes ising.chk; `ising --restart` goes on from there
 * and from ising.out, and leaves the bytes of a run that nobody interrupted.
 * Build it with: cc -O2 -o ising ising.c -lm
 *
 * Sources: Metropolis et al., J. Chem. Phys. 21, 1087 (1953); the generator is xorshift64* (Vigna, 2016).
 */
#define _POSIX_C_SOURCE 200809L
#include <math.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static uint64_t state;

static double uniform(void) {
    state ^= state >> 12;
    state ^= state << 25;
    state ^= state >> 27;
    return (double)((state * 2685821657736338717ULL) >> 11) / 9007199254740992.0;
}

static void seed(uint64_t number) {
    state = number * 6364136223846793005ULL + 1442695040888963407ULL;
    if (state == 0)
        state = 1;
    for (int i = 0; i < 64; i++)
        uniform();
}

struct input {
    int size, warm_up, sweeps, seed, ordered;
    double temperature;
};

static int fail(const char *what) {
    fprintf(stderr, "ising: %s\n", what);
    return 2;
}

/* Lines are `name value`; what is not known is refused. */
static int read_input(const char *file, struct input *in) {
    char name[64], value[64];
    FILE *f = fopen(file, "r");
    if (!f)
        return fail("ising.inpt is missing");
    while (fscanf(f, "%63s %63s", name, value) == 2) {
        if (!strcmp(name, "size")) in->size = atoi(value);
        else if (!strcmp(name, "temperature")) in->temperature = atof(value);
        else if (!strcmp(name, "warm_up")) in->warm_up = atoi(value);
        else if (!strcmp(name, "sweeps")) in->sweeps = atoi(value);
        else if (!strcmp(name, "seed")) in->seed = atoi(value);
        else if (!strcmp(name, "ordered")) in->ordered = !strcmp(value, "yes");
        else { fclose(f); return fail("ising.inpt has a name that is not known"); }
    }
    fclose(f);
    if (in->size < 2 || in->sweeps < 1 || in->warm_up < 0 || !(in->temperature > 0))
        return fail("ising.inpt needs size >= 2, sweeps >= 1, warm_up >= 0 and temperature > 0");
    return 0;
}

static int neighbours(const signed char *spin, int n, int x, int y) {
    return spin[y * n + (x + 1) % n] + spin[y * n + (x + n - 1) % n]
         + spin[((y + 1) % n) * n + x] + spin[((y + n - 1) % n) * n + x];
}

static void sweep(signed char *spin, int n, const double *chance) {
    for (int y = 0; y < n; y++)
        for (int x = 0; x < n; x++) {
            int cost = 2 * spin[y * n + x] * neighbours(spin, n, x, y);
            if (cost <= 0 || uniform() < chance[cost])
                spin[y * n + x] = -spin[y * n + x];
        }
}

static void measure(FILE *out, const signed char *spin, int n) {
    long bonds = 0, total = 0;
    for (int y = 0; y < n; y++)
        for (int x = 0; x < n; x++) {
            bonds += spin[y * n + x] * (spin[y * n + (x + 1) % n] + spin[((y + 1) % n) * n + x]);
            total += spin[y * n + x];
        }
    fprintf(out, "%.10f %.10f\n", -(double)bonds / n / n, fabs((double)total) / n / n);
}

static volatile sig_atomic_t asked_to_end;

static void note(int number) {
    (void)number;
    asked_to_end = 1;
}

/* Where a run stands: how many sweeps are done, how long ising.out is, the generator, the spins. */
static int save(long done, FILE *out, const signed char *spin, size_t count) {
    long length = fflush(out) ? -1 : ftell(out);
    FILE *f = fopen("ising.chk.new", "wb");
    if (!f || length < 0)
        return fail("ising.chk cannot be written");
    int good = fwrite(&done, sizeof done, 1, f) == 1 && fwrite(&length, sizeof length, 1, f) == 1
        && fwrite(&state, sizeof state, 1, f) == 1 && fwrite(spin, 1, count, f) == count;
    if (fclose(f) || !good || rename("ising.chk.new", "ising.chk"))
        return fail("ising.chk cannot be written");
    return 0;
}

static FILE *go_on(long *done, signed char *spin, size_t count) {
    long length = 0;
    FILE *f = fopen("ising.chk", "rb"), *out = fopen("ising.out", "r+");
    int good = f && out && fread(done, sizeof *done, 1, f) == 1 && fread(&length, sizeof length, 1, f) == 1
        && fread(&state, sizeof state, 1, f) == 1 && fread(spin, 1, count, f) == count
        && !ftruncate(fileno(out), length) && !fseek(out, length, SEEK_SET);
    if (f)
        fclose(f);
    return good ? out : NULL;
}

static FILE *begin(const struct input *in, signed char *spin, size_t count) {
    FILE *out = fopen("ising.out", "w");
    seed((uint64_t)in->seed);
    for (size_t i = 0; i < count; i++)
        spin[i] = in->ordered || uniform() < 0.5 ? 1 : -1;
    if (out)
        fprintf(out, "# energy magnetisation\n");
    return out;
}

int main(int argc, char **argv) {
    struct input in = {32, 1000, 1000, 1, 1, 2.269};
    int wrong = read_input("ising.inpt", &in), n = in.size;
    if (wrong)
        return wrong;
    struct sigaction action = {.sa_handler = note};
    sigaction(SIGTERM, &action, NULL);
    long done = 0, all = (long)in.warm_up + in.sweeps;
    size_t count = (size_t)n * n;
    signed char *spin = malloc(count);
    int again = argc > 1 && !strcmp(argv[1], "--restart");
    FILE *out = !spin ? NULL : again ? go_on(&done, spin, count) : begin(&in, spin, count);
    if (!out)
        return fail("no memory, or ising.out cannot be written, or there is nothing to go on with");
    double chance[9] = {0};
    for (int cost = 0; cost <= 8; cost++)
        chance[cost] = exp(-cost / in.temperature);
    clock_t saved = clock();
    while (done < all) {
        sweep(spin, n, chance);
        if (++done > in.warm_up)
            measure(out, spin, n);
        if (asked_to_end || clock() - saved > CLOCKS_PER_SEC) {
            if (save(done, out, spin, count))
                return 2;
            if (asked_to_end)
                return 128 + SIGTERM;
            saved = clock();
        }
    }
    free(spin);
    return fclose(out) ? fail("ising.out cannot be written") : 0;
}
