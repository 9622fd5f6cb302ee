// A map file of any bytes is read or refused, and whatever it says is done to names and a tensor, or refused.
#include "input.h"
#include "check/diff/map.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    static const char *const names[] = {"noise", "c0/layers.7.q", "call.000.block.01.attn1"};
    static const float values[24];
    char ours[FF_MAP_NAME];
    float read[24];
    ff_map *map;
    if (ff_map_open(fuzz_file(bytes, size), &map, NULL))
        return 0;
    for (size_t rule = 0; rule < ff_map_rules(map); rule++)
        for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
            ff_weight weight = {.data = values, .dtype = FF_F32, .rank = 3, .shape = {2, 3, 4}};
            ff_arranged tensor = ff_arranged_of(&weight);
            if (ff_map_match(map, rule, names[i], ours) && !ff_map_arrange(map, rule, names[i], &tensor, NULL))
                ff_strided_read(&tensor.view, read);
        }
    ff_map_close(map);
    return 0;
}
