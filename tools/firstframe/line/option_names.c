// Names of options: found, or met with the nearest one.
#include "options.h"
#include "../commands/commands.h"
#include "edit_distance.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

// What stable-diffusion.cpp and diffusers can be asked for and this program cannot.
static const struct {
    const char *name, *what;
} not_here[] = {
    {"ref-image", "a reference image"},      {"-r", "a reference image"},
    {"control-net", "ControlNet"},           {"control-image", "ControlNet"},
    {"control-video", "ControlNet"},         {"control-strength", "ControlNet"},
    {"lora-model-dir", "a folder of LoRAs"}, {"lora-apply-mode", "another way to add a LoRA"},
    {"upscale-model", "an upscaler"},        {"upscale-repeats", "an upscaler"},
    {"vace-strength", "VACE"},               {"clip-skip", "CLIP"},
};

int ff_option_find(const char *name, size_t length)
{
    for (int id = 0; id < FF_OPTIONS; id++) {
        const char *names[2] = {ff_option_table[id].name, ff_option_table[id].alias};
        for (int i = 0; i < 2; i++)
            if (names[i] && strlen(names[i]) == length && strncmp(names[i], name, length) == 0)
                return id;
    }
    return -1;
}

int ff_option_find_letter(char letter)
{
    for (int id = 0; id < FF_OPTIONS; id++)
        if (ff_option_table[id].letter == letter)
            return id;
    return -1;
}

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

// The name in `typed` as the lists spell it: without leading dashes (but "-x" stays) and "=value", with hyphens for
// underscores, in small letters. False if it is too long to be anybody's.
static bool spell(const char *typed, char out[FF_LONGEST_NAME])
{
    bool letter = typed[0] == '-' && typed[1] != '-' && (typed[1] == 0 || typed[2] == 0 || typed[2] == '=');
    const char *name = letter ? typed : typed + strspn(typed, "-");
    size_t length = strcspn(name, "=");
    if (length >= FF_LONGEST_NAME)
        return false;
    for (size_t i = 0; i < length; i++)
        out[i] = (char)(letter ? name[i] : name[i] == '_' ? '-' : tolower((unsigned char)name[i]));
    out[length] = 0;
    return true;
}

// Takes the next name off a list separated by spaces.
static bool next_name(const char **list, char out[FF_LONGEST_NAME])
{
    size_t length;
    if (!*list)
        return false;
    *list += strspn(*list, " ");
    length = strcspn(*list, " ");
    if (length == 0 || length >= FF_LONGEST_NAME)
        return false;
    memcpy(out, *list, length);
    out[length] = 0;
    *list += length;
    return true;
}

// How far a name is from the nearest of an option's own names and, if `foreign`, of its names elsewhere.
static size_t distance_to(const ff_option *option, const char *name, bool foreign)
{
    char other[FF_LONGEST_NAME];
    const char *list = foreign ? option->foreign : NULL;
    size_t nearest = ff_edit_distance(name, option->name);
    if (option->alias)
        nearest = smaller(nearest, ff_edit_distance(name, option->alias));
    while (next_name(&list, other))
        if ((name[0] == '-') == (other[0] == '-'))
            nearest = smaller(nearest, ff_edit_distance(name, other));
    return nearest;
}

// "--steps N", as a suggestion shows it.
static void show(const ff_option *option, char *out, size_t capacity)
{
    snprintf(out, capacity, "--%s%s%s", option->name, option->argument ? " " : "",
             option->argument ? option->argument : "");
}

// An option of another command.
static ff_status refuse_elsewhere(const char *typed, const ff_option *option, unsigned command, ff_error *error)
{
    char others[80];
    ff_command_names(option->commands, others, sizeof others);
    return ff_fail(error, FF_ERROR_INPUT, "%.60s is an option of %s, not of %s", typed, others,
                   ff_command_name(command));
}

ff_status ff_option_refuse(const char *typed, unsigned command, ff_error *error)
{
    char name[FF_LONGEST_NAME], shown[64];
    int nearest = -1;
    size_t distance = FF_LONGEST_NAME;
    bool known = spell(typed, name);
    int here = typed[1] == '-' ? ff_option_find(typed + 2, strcspn(typed + 2, "="))
                               : typed[2] == 0 ? ff_option_find_letter(typed[1]) : -1;
    if (here >= 0)
        return refuse_elsewhere(typed, &ff_option_table[here], command, error);
    for (size_t i = 0; known && i < sizeof not_here / sizeof not_here[0]; i++)
        if (strcmp(not_here[i].name, name) == 0)
            return ff_fail(error, FF_ERROR_INPUT, "%.60s: %s is not in this version", typed, not_here[i].what);
    for (int id = 0; known && id < FF_OPTIONS; id++) {
        size_t away = distance_to(&ff_option_table[id], name, true);
        bool nearer = nearest < 0 || away < distance;
        if (!nearer && away == distance)  // of two as near, the one this command takes
            nearer = !(ff_option_table[nearest].commands & command) && (ff_option_table[id].commands & command);
        if (nearer) {
            nearest = id;
            distance = away;
        }
    }
    size_t length = known ? strlen(name) : 0, tolerance = smaller(1 + length / 2, length ? length - 1 : 0);
    bool near = nearest >= 0 && (distance == 0 || (name[0] != '-' && distance <= tolerance));
    int letter = typed[1] == '-' ? -1 : ff_option_find_letter(typed[1]);
    if (!near && letter >= 0 && ff_option_table[letter].argument && (ff_option_table[letter].commands & command))
        return ff_fail(error, FF_ERROR_INPUT, "unknown option %.40s; did you mean -%c %.40s?", typed, typed[1],
                       typed + 2 + (typed[2] == '='));
    if (!near)
        return ff_fail(error, FF_ERROR_INPUT, "unknown option %.60s; firstframe %s --help lists those there are",
                       typed, ff_command_name(command));
    show(&ff_option_table[nearest], shown, sizeof shown);
    if (!(ff_option_table[nearest].commands & command)) {
        char others[80];
        ff_command_names(ff_option_table[nearest].commands, others, sizeof others);
        return ff_fail(error, FF_ERROR_INPUT, "unknown option %.60s; the nearest is %s, an option of %s, not of %s",
                       typed, shown, others, ff_command_name(command));
    }
    if (distance == 0 && distance_to(&ff_option_table[nearest], name, false) > 0)
        return ff_fail(error, FF_ERROR_INPUT, "unknown option %.60s; here it is called %s", typed, shown);
    return ff_fail(error, FF_ERROR_INPUT, "unknown option %.60s; did you mean %s?", typed, shown);
}
