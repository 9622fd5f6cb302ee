#include "commands.h"
#include "pipeline/recipes.h"

#include <stdio.h>

#define FOLDER "models"   // what the lines to type download into
#define LINE_ROOM 1024

static void add_file(const ff_published_file *file, cJSON *files)
{
    char line[LINE_ROOM];
    cJSON *entry = cJSON_CreateObject();
    ff_recipe_download(file, FOLDER, line, sizeof line);
    cJSON_AddStringToObject(entry, "repository", file->repository);
    if (file->path)
        cJSON_AddStringToObject(entry, "file", file->path);
    if (file->gigabytes > 0)
        ff_json_number(entry, "gigabytes", file->gigabytes);
    cJSON_AddStringToObject(entry, "download", line);
    cJSON_AddItemToArray(files, entry);
}

static void add_recipe(const ff_recipe *recipe, cJSON *recipes)
{
    char line[LINE_ROOM];
    cJSON *entry = cJSON_CreateObject(), *files = cJSON_CreateArray();
    ff_recipe_run(recipe, FOLDER, line, sizeof line);
    cJSON_AddStringToObject(entry, "name", recipe->name);
    cJSON_AddStringToObject(entry, "about", recipe->about);
    if (ff_recipe_gigabytes(recipe) > 0)
        ff_json_number(entry, "gigabytes", ff_recipe_gigabytes(recipe));
    if (recipe->memory_gigabytes > 0)
        ff_json_number(entry, "memory_gigabytes", recipe->memory_gigabytes);
    for (size_t i = 0; i < recipe->count; i++)
        add_file(&recipe->files[i], files);
    cJSON_AddItemToObject(entry, "files", files);
    cJSON_AddStringToObject(entry, "run", line);
    cJSON_AddItemToArray(recipes, entry);
}

static void print_recipe(const ff_recipe *recipe, ff_report *report)
{
    char line[LINE_ROOM];
    double all = ff_recipe_gigabytes(recipe), largest = 0;
    ff_report_line(report, "%s: %s", recipe->name, recipe->about);
    for (size_t i = 0; i < recipe->count; i++) {
        const ff_published_file *file = &recipe->files[i];
        largest = file->gigabytes > largest ? file->gigabytes : largest;
        if (file->gigabytes > 0)
            ff_report_line(report, "  %5.2f GB  %s of %s", file->gigabytes, file->path, file->repository);
        else
            ff_report_line(report, "  all of %s", file->repository);
    }
    if (all > 0)
        ff_report_line(report, "  %5.2f GB on disk", all);
    if (recipe->memory_gigabytes > 0 && largest > 0)
        ff_report_line(report, "  %5.2f GB of memory at 1280x704, and the files mapped beside it, the largest %.2f GB",
                       recipe->memory_gigabytes, largest);
    else if (recipe->memory_gigabytes > 0)
        ff_report_line(report, "  %5.2f GB of memory at 1280x704, and the files mapped beside it",
                       recipe->memory_gigabytes);
    for (size_t i = 0; i < recipe->count; i++) {
        ff_recipe_download(&recipe->files[i], FOLDER, line, sizeof line);
        ff_report_line(report, "    %s", line);
    }
    ff_recipe_run(recipe, FOLDER, line, sizeof line);
    ff_report_line(report, "    %s", line);
}

ff_status ff_command_models(const ff_options *options, ff_report *report, ff_error *error)
{
    cJSON *recipes = cJSON_AddArrayToObject(report->object, "models");
    for (size_t i = 0; i < ff_recipe_count; i++) {
        add_recipe(&ff_recipes[i], recipes);
        if (i > 0)
            ff_report_line(report, "%s", "");
        print_recipe(&ff_recipes[i], report);
    }
    ff_report_line(report, "%s", "");
    ff_report_line(report, "hf comes with `pip install huggingface_hub`; older ones call it huggingface-cli.");
    return FF_OK;
}
