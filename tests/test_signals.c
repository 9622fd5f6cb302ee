// Runs that are ended from outside. A signal ends every command with 128 plus its number (130, 143, 129), whenever it
// comes; a second one at once; and what a run leaves that was killed is gone after the next one for the same output.
#define _GNU_SOURCE  // F_SETPIPE_SZ
#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "golden.h"
#include "commands/commands.h"

#define TINY " -m " FF_GOLDEN "/diffusers/models/tiny-ti2v "
#define SHIPPED " -m " FF_GOLDEN "/model "
#define MOST_WORDS 64

static char folder[] = "/tmp/ff-signals-XXXXXX";

// ---- a program that runs ----

typedef struct child {
    pid_t id;
    int says;              // a pipe of 4096 bytes with all it says: who does not read holds it up
    char said[1 << 16];
    size_t length;
} child;

static void start(child *out, const char *arguments)
{
    static char text[2048];
    char *words[MOST_WORDS] = {FF_COMMAND};
    int ends[2], count = 1;
    snprintf(text, sizeof text, "%s", arguments);
    for (char *word = strtok(text, " "); word && count < MOST_WORDS - 1; word = strtok(NULL, " "))
        words[count++] = word;
    *out = (child){0};
    assert_int_equal(pipe(ends), 0);
    fcntl(ends[1], F_SETPIPE_SZ, 4096);
    fflush(NULL);
    out->id = fork();
    if (out->id == 0) {
        dup2(ends[1], STDOUT_FILENO);
        dup2(ends[1], STDERR_FILENO);
        close(ends[0]);
        close(ends[1]);
        signal(SIGINT, SIG_DFL);   // a shell in the background or nohup may have them ignored
        signal(SIGHUP, SIG_DFL);
        execv(FF_COMMAND, words);
        _exit(127);
    }
    assert_true(out->id > 0);
    close(ends[1]);
    out->says = ends[0];
}

// One read; false at the end.
static bool listen_once(child *to)
{
    if (to->length + 512 > sizeof to->said)
        to->length = 0;
    ssize_t got = read(to->says, to->said + to->length, 256);
    to->length += got > 0 ? (size_t)got : 0;
    to->said[to->length] = 0;
    return got > 0;
}

// Until it has said this, and not much further.
static void wait_until(child *of, const char *text)
{
    while (!strstr(of->said, text))
        if (!listen_once(of))
            fail_msg("it ended before it said \"%s\": %s", text, of->said);
}

static void wait_a_while(int milliseconds)
{
    poll(NULL, 0, milliseconds);
}

// Until it catches a signal, as it does from its first lines on.
static void wait_until_caught(const child *of, int number)
{
    unsigned long long caught = 0;
    char path[64], line[256];
    snprintf(path, sizeof path, "/proc/%ld/status", (long)of->id);
    while (!(caught >> (number - 1) & 1)) {
        FILE *file = fopen(path, "r");
        assert_non_null(file);
        while (fgets(line, sizeof line, file))
            sscanf(line, "SigCgt: %llx", &caught);
        fclose(file);
        wait_a_while(1);
    }
}

// Reads what it still says. Its exit status; that it was ended by a signal itself fails the test.
static int finish(child *of)
{
    int status;
    while (listen_once(of))
        ;
    close(of->says);
    assert_int_equal(waitpid(of->id, &status, 0), of->id);
    if (!WIFEXITED(status))
        fail_msg("signal %d ended it: %s", WTERMSIG(status), of->said);
    return WEXITSTATUS(status);
}

static void run(const char *arguments)
{
    child one;
    start(&one, arguments);
    int status = finish(&one);
    if (status != 0)
        fail_msg("status %d: %s\n%s", status, arguments, one.said);
}

static void assert_status(child *of, int wanted, const char *what)
{
    int status = finish(of);
    if (status != wanted)
        fail_msg("%s: status %d, not %d\n%s", what, status, wanted, of->said);
}

// Files in the folder that hold this in their names.
static size_t count_files(const char *part)
{
    size_t count = 0;
    DIR *list = opendir(".");
    const struct dirent *entry;
    assert_non_null(list);
    while ((entry = readdir(list)))
        count += strstr(entry->d_name, part) != NULL;
    closedir(list);
    return count;
}

static void assert_none(const char *part, const char *after)
{
    if (count_files(part))
        fail_msg("%s is left after: %s", part, after);
}

// ---- every command, at every stage ----

// until: what it says first; NULL: it is given `milliseconds` once it catches the signal.
static const struct {
    const char *command, *arguments, *until;
    int milliseconds;
} moments[] = {
    {"t2i", "-p x --steps 1000 --size 64x64 -v -o x.png" TINY, "denoise 3/", 0},
    {"t2i", "-p x --steps 1000 --size 64x64 -n 3 -v -o stills" TINY, "denoise 3/", 0},
    {"inpaint", "-i still.png --box 8,8,8,8 -p x --steps 1000 --size 64x64 -v -o x.png" TINY, "denoise 3/", 0},
    {"t2v", "-p x --steps 1000 --size 64x64 --frames 5 -v -o x.webp" TINY, "denoise 3/", 0},
    {"t2v", "-p x --size 64x64 --frames 25 --steps 1 -q -o -" TINY, "YUV4MPEG2", 0},  // while the pipe is full
    {"i2v", "-i silent.png -p x -o x.webp" TINY, NULL, 30},                           // while nothing comes
    {"i2v", "-i still.png -p x --steps 500 --size 64x64 -v -o x.webp" TINY, "text    1/2", 0},
    {"i2v", "-i still.png -p x --steps 500 --size 64x64 -v -o x.webp" TINY, "encode  1/1", 0},
    {"i2v", "-i still.png -p x --steps 500 --size 64x64 --preview p.png -v -o x.webp" TINY, "denoise 3/", 0},
    {"i2v", "-i still.png -p x --steps 500 --size 64x64 -v --dump x.safetensors" TINY, "denoise 3/", 0},
    {"i2v", "-i still.png -p x --steps 1 --size 64x64 --frames 401 -v -o x.webp" TINY, "decode  1/", 0},
    {"i2v", "-i still.png -p x --steps 1 --size 64x64 --frames 401 -v -o x%d.png" TINY, "decode  4/", 0},
    {"compare", "-p x --motion y --steps 500 --size 64x64 -v -o pages" TINY, "denoise 3/", 0},
    {"explain", "-i still.png -p x --steps 500 --size 64x64 -v -o pages" TINY, "denoise 3/", 0},
    {"again", "again.png -v" TINY, "denoise 3/", 0},
    {"bench", SHIPPED, NULL, 300},
    {"diff", "one.safetensors one.safetensors --plot x.png", "max abs", 0},
    {"verify", "two.safetensors" SHIPPED, NULL, 30},
    {"inspect", "silent.png", NULL, 30},
    {"models", "--json", NULL, 30},   // more than a pipe holds
    {"convert", "--type q8_0 -o x.gguf" SHIPPED, NULL, 0},
};
enum { MOMENTS = sizeof moments / sizeof *moments };

static void every_command_ends_with_the_signals_number(void **state)
{
    static const int signals[] = {SIGTERM, SIGTERM, SIGINT, SIGTERM, SIGHUP};
    for (size_t i = 0; i < MOMENTS; i++) {
        char arguments[1024];
        int number = signals[i % 5];
        child one;
        snprintf(arguments, sizeof arguments, "%s %s", moments[i].command, moments[i].arguments);
        start(&one, arguments);
        if (moments[i].until)
            wait_until(&one, moments[i].until);
        else
            wait_until_caught(&one, number);
        wait_a_while(moments[i].milliseconds);
        kill(one.id, number);
        assert_status(&one, 128 + number, arguments);
        remove("x.png.state");   // an interrupted run may be resumed
        remove("x.webp.state");
        remove("p.png");         // the last preview
        assert_none(".part", arguments);
        assert_none("x", arguments);
    }
    remove("stills/seed-0000.png.state");
    assert_int_equal(rmdir("stills"), 0);
}

// So that a command that is new gets its line above.
static void no_command_is_forgotten(void **state)
{
    for (size_t c = 0; c < ff_command_count; c++) {
        bool found = false;
        for (size_t i = 0; i < MOMENTS; i++)
            found = found || strcmp(moments[i].command, ff_command_table[c].name) == 0;
        if (!found)
            fail_msg("%s is not among the commands that are interrupted here", ff_command_table[c].name);
    }
}

// As `timeout` sends it, to the program and then to its group: one interruption, in order.
static void the_same_signal_twice_in_a_moment_is_one(void **state)
{
    child one;
    start(&one, "i2v -i still.png -p x --steps 500 --size 64x64 -v -o x.webp" TINY);
    wait_until(&one, "denoise 3/");
    kill(one.id, SIGSTOP);
    kill(one.id, SIGTERM);
    kill(one.id, SIGHUP);
    kill(one.id, SIGCONT);
    int status = finish(&one);
    assert_true(status == 128 + SIGTERM || status == 128 + SIGHUP);   // whichever is delivered first
    assert_non_null(strstr(one.said, "firstframe: interrupted"));
    assert_none(".part", "two signals in a moment");
    remove("x.webp.state");
}

// The first is seen between two steps, which take seconds here.
static void a_second_signal_ends_at_once(void **state)
{
    const char *arguments = "i2v -i still.png -p x --isa scalar -t 1 --size 192x192 --steps 4 -v -o x.webp" SHIPPED;
    child one;
    start(&one, arguments);
    wait_until(&one, "denoise 1/");
    wait_a_while(200);
    kill(one.id, SIGTERM);
    wait_a_while(200);
    kill(one.id, SIGTERM);
    assert_status(&one, 128 + SIGTERM, "twice the same signal");
    assert_null(strstr(one.said, "firstframe: interrupted"));

    run("i2v -i still.png -p x --size 64x64 --frames 5 --steps 1 -o x.webp" TINY);
    assert_none(".part", "a run for the same output");
    remove("x.webp");
}

// ---- runs that are killed ----

static void kill_when(const char *arguments, const char *says, int milliseconds)
{
    child one;
    int status;
    start(&one, arguments);
    wait_until(&one, "denoise 1/");
    wait_a_while(milliseconds);   // a step so slow makes the run one that keeps its state
    wait_until(&one, says);
    kill(one.id, SIGKILL);
    close(one.says);
    assert_int_equal(waitpid(one.id, &status, 0), one.id);
    assert_true(WIFSIGNALED(status));
    assert_true(count_files(".part") > 0);
}

static void what_a_killed_run_leaves_is_gone_after_the_next(void **state)
{
    static const struct {
        const char *arguments, *says, *again;
        size_t files;
    } cases[] = {
        {"-o x.webp", "denoise 9/", "--resume", 1},
        {"-o x.webp", "denoise 9/", "", 1},
        {"-o x.y4m", "decode  9/", "", 1},
        {"-o x%03d.png", "decode  9/", "", 201},
        {"-o x%03d.png", "decode  9/", "--resume", 201},
        {"--dump x.safetensors --dump-level run", "denoise 9/", "", 1},
    };
    const char *common = "i2v -i still.png -p x --size 32x32 --frames 201 --steps 40 -v" TINY;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char arguments[1024];
        FILE *other = fopen("x.webp.part-1-0", "wb");   // somebody's
        assert_non_null(other);
        fclose(other);
        snprintf(arguments, sizeof arguments, "%s %s", common, cases[i].arguments);
        kill_when(arguments, cases[i].says, 400);
        snprintf(arguments, sizeof arguments, "%s %s %s", common, cases[i].arguments, cases[i].again);
        run(arguments);
        assert_int_equal(remove("x.webp.part-1-0"), 0);
        assert_none(".part", arguments);
        assert_none(".state", arguments);
        assert_int_equal(count_files("x"), cases[i].files);
        for (int frame = 0; frame < 201; frame++) {
            char name[32];
            snprintf(name, sizeof name, "x%03d.png", frame);
            remove(name);
        }
        remove("x.webp");
        remove("x.y4m");
        remove("x.safetensors");
    }
}

static void what_a_living_run_writes_stays(void **state)
{
    const char *arguments = "i2v -i still.png -p x --size 32x32 --frames 201 --steps 2 -v -o x%03d.png" TINY;
    child one;
    start(&one, arguments);
    wait_until(&one, "decode  9/");   // and there it stands, with files that are closed
    size_t parts = count_files(".part");
    assert_true(parts > 1);
    run(arguments);
    assert_true(count_files(".part") >= parts);
    assert_int_equal(count_files("x200.png"), 1);
    assert_status(&one, 0, "the run that was held up");
    assert_none(".part", arguments);
    assert_int_equal(count_files("x"), 201);
}

static int make_folder(void **state)
{
    setenv("OMP_WAIT_POLICY", "passive", 1);
    if (!mkdtemp(folder) || chdir(folder) != 0 || mkfifo("silent.png", 0600) != 0)
        return -1;
    run("t2i -p x --size 32x32 --steps 1 -o still.png" TINY);
    run("t2i -p x --size 64x64 --steps 1000 -q -o again.png" TINY);
    run("t2v -p x --size 32x32 --frames 5 --steps 8 --dump-level op --dump one.safetensors" TINY);
    run("t2v -p x --size 64x64 --frames 9 --steps 2 --dump-level block --dump two.safetensors" SHIPPED);
    return 0;
}

static int remove_folder(void **state)
{
    DIR *list = opendir(".");
    const struct dirent *entry;
    while (list && (entry = readdir(list)))
        if (entry->d_name[0] != '.')
            remove(entry->d_name);
    if (list)
        closedir(list);
    return chdir("/") != 0 || rmdir(folder) != 0 ? -1 : 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_command_ends_with_the_signals_number),
        cmocka_unit_test(no_command_is_forgotten),
        cmocka_unit_test(the_same_signal_twice_in_a_moment_is_one),
        cmocka_unit_test(a_second_signal_ends_at_once),
        cmocka_unit_test(what_a_killed_run_leaves_is_gone_after_the_next),
        cmocka_unit_test(what_a_living_run_writes_stays),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
