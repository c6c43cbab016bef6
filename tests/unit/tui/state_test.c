#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "app/config.h"
#include "app/frame.h"
#include "app/live.h"
#include "app/state.h"
#include "app/wishes.h"
#include "profiler/compare.h"

#define DEMO_MODEL MLS_TEST_DATA "/../demo/digits.mlpackage"

struct screen {
    struct mls_loader_options loader;
    struct mls_live *live;
    struct mls_state state;
    struct mls_grid grid;
};

/* A screen on a model whose load is over, well or not. */
static void start_function(struct screen *screen, const char *path, const char *function)
{
    *screen = (struct screen){.loader = {.path = path}};
    struct mls_live_options options = {.loader = &screen->loader, .settings = {.threads = 1}};
    snprintf(options.settings.function, sizeof options.settings.function, "%s", function);
    screen->live = mls_live_start(&options);
    assert_non_null(screen->live);
    assert_true(mls_state_init(&screen->state, mls_live_snapshot(screen->live), 80, 24, false));
    while (mls_live_snapshot(screen->live)->phase == MLS_PHASE_LOADING) {
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
        mls_live_update(screen->live, false);
    }
    mls_state_refresh(&screen->state);
}

static void start(struct screen *screen, const char *path)
{
    start_function(screen, path, "");
}

static void stop(struct screen *screen)
{
    mls_state_done(&screen->state);
    mls_live_free(screen->live);
    mls_grid_done(&screen->grid);
}

static void draw(struct screen *screen, int columns, int rows)
{
    struct mls_cursor_place cursor;
    screen->state.columns = columns;
    screen->state.rows = rows;
    assert_true(mls_grid_resize(&screen->grid, columns, rows));
    mls_frame_draw(&screen->state, &screen->grid, &cursor);
    assert_true(cursor.x < columns && cursor.y < rows);
}

static void press(struct screen *screen, const char *keys)
{
    for (; *keys; keys++)
        mls_state_key(&screen->state, (unsigned char)*keys);
}

static void a_failed_load_shows_its_findings(void **state)
{
    (void)state;
    struct screen screen;
    start(&screen, "/nonexistent/model.mlpackage");
    assert_int_equal(screen.state.current, MLS_VIEW_findings);
    assert_non_null(screen.state.snapshot->error);
    assert_true(screen.state.snapshot->report && screen.state.snapshot->report->n_findings > 0);
    stop(&screen);
}

static void a_function_that_is_not_there_is_a_finding(void **state)
{
    (void)state;
    struct screen screen;
    start_function(&screen, DEMO_MODEL, "nope");
    assert_int_equal(screen.state.current, MLS_VIEW_findings);
    assert_string_equal(screen.state.snapshot->report->findings[0].id, "LOAD024");
    for (unsigned view = 0; view < MLS_VIEW_COUNT; view++) {
        mls_state_go(&screen.state, (enum mls_view_index)view);
        draw(&screen, 120, 40);
    }
    stop(&screen);
}

static void every_view_draws_at_every_size(void **state)
{
    (void)state;
    static const int sizes[][2] = {{1, 1},    {39, 10},  {40, 10},   {41, 11},  {60, 20},
                                   {79, 24},  {80, 23},  {80, 24},   {100, 30}, {139, 40},
                                   {140, 40}, {200, 60}, {300, 100}, {300, 10}, {40, 100}};
    struct screen screen;
    start(&screen, DEMO_MODEL);
    for (unsigned view = 0; view < MLS_VIEW_COUNT; view++)
        for (unsigned detail = 0; detail < 3; detail++) {
            mls_state_go(&screen.state, (enum mls_view_index)view);
            mls_state_view(&screen.state)->detail = detail > 0;
            mls_state_view(&screen.state)->full = detail > 1;
            for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
                draw(&screen, sizes[i][0], sizes[i][1]);
        }
    stop(&screen);
}

static void q_closes_what_is_on_top_and_quits_last(void **state)
{
    (void)state;
    struct screen screen;
    start(&screen, "/nonexistent/model.mlpackage");
    press(&screen, "25?");
    assert_int_equal(screen.state.current, MLS_VIEW_help);
    press(&screen, "q");
    assert_int_equal(screen.state.current, MLS_VIEW_memory);
    press(&screen, "qqq");
    assert_int_equal(screen.state.current, MLS_VIEW_overview);
    assert_false(screen.state.quit);
    press(&screen, "q");
    assert_true(screen.state.quit);
    stop(&screen);
}

static void esc_never_quits(void **state)
{
    (void)state;
    struct screen screen;
    start(&screen, "/nonexistent/model.mlpackage");
    for (int i = 0; i < 40; i++)
        mls_state_key(&screen.state, MLS_KEY_ESC);
    assert_false(screen.state.quit);
    stop(&screen);
}

static void a_wrong_filter_leaves_the_last_good_one(void **state)
{
    (void)state;
    struct screen screen;
    start(&screen, "/nonexistent/model.mlpackage");
    press(&screen, "8");
    assert_true(mls_state_command(&screen.state, ":filter severity=error"));
    assert_false(mls_state_command(&screen.state, ":filter nothing>1"));
    assert_true(screen.state.message_bad);
    assert_string_equal(mls_state_view(&screen.state)->list.filter_text, "severity=error");
    stop(&screen);
}

static void commands_that_are_unknown_say_so(void **state)
{
    (void)state;
    struct screen screen;
    start(&screen, "/nonexistent/model.mlpackage");
    assert_false(mls_state_command(&screen.state, ":frobnicate"));
    assert_non_null(strstr(screen.state.message, "frobnicate"));
    assert_false(mls_state_command(&screen.state, ":goto"));
    assert_false(mls_state_command(&screen.state, ":set refresh=1"));
    assert_true(mls_state_command(&screen.state, ":set refresh=200"));
    assert_int_equal(screen.state.refresh_ms, 200);
    stop(&screen);
}

/* Keys at random, drawn after every few, on whatever loads here. */
static void random_keys_do_no_harm(void **state)
{
    (void)state;
    static const char *const paths[] = {"/nonexistent/model.mlpackage", DEMO_MODEL};
    uint32_t random = 1;
    for (unsigned p = 0; p < 2; p++) {
        struct screen screen;
        start(&screen, paths[p]);
        for (unsigned i = 0; i < 6000; i++) {
            random = random * 1664525u + 1013904223u;
            mls_keycode key = random >> 16 & 1
                                  ? MLS_KEY_FIRST + (random >> 18) % (MLS_KEY_LAST - MLS_KEY_FIRST)
                                  : (random >> 18) % 127 + 1;
            mls_state_key(&screen.state, key);
            screen.state.quit = false;
            screen.state.suspend = false;
            if (i % 64 == 0) {
                mls_live_update(screen.live, screen.state.frozen);
                mls_state_refresh(&screen.state);
                draw(&screen, 20 + (int)(random >> 8) % 200, 5 + (int)(random >> 20) % 60);
            }
        }
        stop(&screen);
    }
}

/* Whatever key of the table is pressed in whatever view, the screen draws and the keys after it still act. */
static void every_key_of_the_table_acts_in_every_view(void **state)
{
    (void)state;
    struct screen screen;
    start(&screen, DEMO_MODEL);
    for (unsigned view = 0; view < MLS_VIEW_COUNT; view++)
        for (size_t i = 0; i < screen.state.keymap.n_bindings; i++) {
            mls_state_go(&screen.state, (enum mls_view_index)view);
            mls_state_key(&screen.state, screen.state.keymap.bindings[i].key);
            draw(&screen, 100, 30);
            screen.state.quit = screen.state.suspend = false;
            memset(&screen.state.wishes, 0, sizeof screen.state.wishes);
            for (int back = 0; back < 8; back++)
                mls_state_key(&screen.state, MLS_KEY_ESC);
            assert_int_equal(screen.state.mode, MLS_MODE_NORMAL);
        }
    stop(&screen);
}

static void a_setting_of_the_model_starts_it_anew(void **state)
{
    (void)state;
    struct screen screen;
    start(&screen, DEMO_MODEL);
    uint32_t generation = screen.state.snapshot->generation;
    assert_true(mls_state_command(&screen.state, "set cpu=generic"));
    assert_true(screen.state.wishes.restart);
    mls_wishes_fulfil(&screen.state, screen.live, NULL);
    assert_false(screen.state.wishes.restart);
    while (mls_live_snapshot(screen.live)->phase == MLS_PHASE_LOADING) {
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
        mls_live_update(screen.live, false);
    }
    assert_int_equal(screen.state.snapshot->phase, MLS_PHASE_RUNNING);
    assert_string_equal(screen.state.snapshot->model.isa, "generic");
    assert_int_not_equal(screen.state.snapshot->generation, generation);
    assert_string_equal(screen.state.snapshot->log->lines[1].text, "cpu=generic");
    assert_false(mls_state_command(&screen.state, "set threads=many"));
    assert_false(mls_state_command(&screen.state, "set nothing=1"));
    stop(&screen);
}

static void wrong_lines_of_a_configuration_warn_and_are_left_alone(void **state)
{
    (void)state;
    char path[] = "/tmp/mlscope-config-XXXXXX";
    struct screen screen;
    start(&screen, "/nonexistent/model.mlpackage");
    int fd = mkstemp(path);
    FILE *file = fdopen(fd, "w");
    fputs("# a comment\ntheme = mono\nnonsense = 1\nkey.help = F9\ncolumns.Operations = #,mean,name\n", file);
    fclose(file);
    assert_true(mls_config_load(&screen.state, path));
    assert_int_equal(screen.state.theme, MLS_THEME_MONO);
    assert_non_null(strstr(screen.state.message, "line 3"));
    assert_int_equal(mls_keymap_find(&screen.state.keymap, MLS_KEY_F9), MLS_REQUEST_HELP);
    assert_int_equal(mls_keymap_find(&screen.state.keymap, MLS_KEY_F1), MLS_REQUEST_NONE);
    assert_int_equal(screen.state.views[MLS_VIEW_operations].list.n_columns, 3);
    assert_false(mls_config_load(&screen.state, "/nonexistent/config"));
    remove(path);
    stop(&screen);
}

static void what_is_saved_as_configuration_reads_back(void **state)
{
    (void)state;
    char path[] = "/tmp/mlscope-config-XXXXXX";
    struct screen screen;
    start(&screen, "/nonexistent/model.mlpackage");
    close(mkstemp(path));
    assert_true(mls_state_command(&screen.state, "set theme=colorblind"));
    assert_true(mls_config_save(&screen.state, path));
    screen.state.theme = MLS_THEME_AUTO;
    assert_true(mls_config_load(&screen.state, path));
    assert_string_equal(screen.state.message, "");
    assert_int_equal(screen.state.theme, MLS_THEME_SAFE);
    remove(path);
    stop(&screen);
}

static void tab_completes_the_command_line(void **state)
{
    (void)state;
    struct screen screen;
    start(&screen, "/nonexistent/model.mlpackage");
    press(&screen, ":set thr");
    mls_state_key(&screen.state, MLS_KEY_TAB);
    assert_string_equal(screen.state.prompt.text, "set threads");
    press(&screen, "=4");
    mls_state_key(&screen.state, MLS_KEY_ENTER);
    assert_int_equal(screen.state.settings.threads, 4);
    press(&screen, ":");
    mls_state_key(&screen.state, MLS_KEY_UP);
    assert_string_equal(screen.state.prompt.text, "set threads=4");
    stop(&screen);
}

static void clicks_do_what_their_keys_do(void **state)
{
    (void)state;
    struct screen screen;
    start(&screen, DEMO_MODEL);
    draw(&screen, 120, 30);
    for (unsigned i = 0; i < screen.state.n_hots; i++)
        if (screen.state.hots[i].request == MLS_REQUEST_OPERATIONS) {
            mls_state_mouse(&screen.state, (struct mls_mouse){.x = screen.state.hots[i].x, .y = 1});
            break;
        }
    assert_int_equal(screen.state.current, MLS_VIEW_operations);
    draw(&screen, 120, 30);
    struct mls_listing *list = &screen.state.views[MLS_VIEW_operations].list;
    mls_state_mouse(&screen.state, (struct mls_mouse){.x = 20, .y = 7});
    assert_int_equal(list->selected, 4);
    mls_state_mouse(&screen.state, (struct mls_mouse){.x = 20, .y = 7, .action = MLS_MOUSE_WHEEL_UP});
    assert_int_equal(list->selected, 1);
    mls_state_mouse(&screen.state, (struct mls_mouse){.x = list->place.x[1] + 3, .y = 2});
    assert_int_equal(list->sort_column, 1);
    stop(&screen);
}

/* Runs until the screen has seen so many predictions. */
static void run(struct screen *screen, uint64_t n)
{
    do {
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
        mls_live_update(screen->live, false);
    } while (mls_live_snapshot(screen->live)->predictions.runs < n);
    mls_state_refresh(&screen->state);
}

static void a_second_baseline_leaves_nothing_of_the_first(void **state)
{
    (void)state;
    struct screen screen;
    start(&screen, DEMO_MODEL);
    const struct mls_snapshot *snapshot = mls_live_snapshot(screen.live);
    run(&screen, 5);
    mls_state_go(&screen.state, MLS_VIEW_compare);
    assert_true(mls_state_command(&screen.state, "baseline"));
    mls_wishes_fulfil(&screen.state, screen.live, NULL);
    assert_null(snapshot->comparison);
    run(&screen, 7);
    assert_non_null(snapshot->comparison);
    assert_true(snapshot->comparison->a->runs >= 5);
    assert_true(mls_state_command(&screen.state, "baseline"));
    mls_wishes_fulfil(&screen.state, screen.live, NULL);
    assert_null(snapshot->comparison); /* what it pointed to is gone */
    draw(&screen, 120, 40);
    run(&screen, 3);
    assert_true(snapshot->comparison->a->runs >= 7 && snapshot->comparison->b->runs >= 1);
    draw(&screen, 120, 40);
    assert_int_not_equal(mls_live_set_baseline(screen.live, "/nonexistent/file", NULL), MLS_OK);
    stop(&screen);
}

/* What is selected in one view is selected in the next, as far as it is there. */
static void views_look_at_the_same_operation(void **state)
{
    (void)state;
    static const enum mls_view_index views[] = {MLS_VIEW_placement, MLS_VIEW_timeline, MLS_VIEW_operations};
    struct screen screen;
    mls_op_id wanted, found;
    start(&screen, DEMO_MODEL);
    run(&screen, 5);
    mls_state_go(&screen.state, MLS_VIEW_operations);
    mls_state_perform(&screen.state, MLS_REQUEST_HOTTEST);
    struct mls_view *view = mls_state_view(&screen.state);
    assert_true(view->ops->op(view, view->list.selected_row, &wanted));
    assert_true(wanted.i > 0);
    for (size_t i = 0; i < sizeof views / sizeof views[0]; i++) {
        mls_state_go(&screen.state, views[i]);
        view = mls_state_view(&screen.state);
        assert_true(view->ops->op(view, view->list.selected_row, &found));
        assert_int_equal(found.i, wanted.i);
    }
    stop(&screen);
}

/* Until the duel says `busy` no more, or has something to show. */
static void watch_duel(struct screen *screen, bool to_its_end)
{
    const struct mls_snapshot *snapshot = mls_live_snapshot(screen->live);
    do {
        nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
        mls_live_update(screen->live, false);
        mls_state_refresh(&screen->state);
    } while (snapshot->duel.busy && (to_its_end || !snapshot->duel.snr_db));
}

static void the_model_runs_in_turns_with_itself_under_other_settings(void **state)
{
    (void)state;
    struct screen screen;
    start(&screen, DEMO_MODEL);
    const struct mls_snapshot *snapshot = mls_live_snapshot(screen.live);
    run(&screen, 3);
    assert_false(mls_state_command(&screen.state, "compare precision=declared")); /* as it is */
    assert_false(mls_state_command(&screen.state, "compare precision=nonsense"));
    assert_true(mls_state_command(&screen.state, "compare precision=high"));
    assert_int_equal(screen.state.settings.precision, MLS_PRECISION_DECLARED);
    mls_wishes_fulfil(&screen.state, screen.live, NULL);
    draw(&screen, 80, 24);
    watch_duel(&screen, false);
    draw(&screen, 120, 40);
    assert_string_equal(snapshot->duel.error, "");
    assert_non_null(snapshot->duel.snr_db);
    assert_non_null(snapshot->comparison);
    assert_ptr_equal(snapshot->comparison, snapshot->duel.comparison);
    assert_string_equal(snapshot->comparison->b->label, "precision=high");
    assert_int_equal(snapshot->comparison->a->runs, snapshot->comparison->b->runs);
    assert_int_equal(snapshot->duel.walk->n_outputs, 2);
    uint64_t runs = snapshot->predictions.runs;
    mls_live_cancel(screen.live);
    watch_duel(&screen, true);
    run(&screen, runs + 2); /* the model goes on */
    assert_non_null(snapshot->comparison);
    assert_true(mls_state_command(&screen.state, "compare /nonexistent/model"));
    mls_wishes_fulfil(&screen.state, screen.live, NULL);
    draw(&screen, 80, 24);
    watch_duel(&screen, true);
    draw(&screen, 80, 24);
    assert_string_not_equal(snapshot->duel.error, "");
    stop(&screen);
}

static void weights_are_compressed_by_a_setting_and_plain_again(void **state)
{
    (void)state;
    static const char *const lines[] = {"set compress=4-bit", "set compress.linear_8_cast_fp16=8-bit", "set compress=none"};
    static const char *const expected[] = {"4-bit weights, declared", "4-bit weights, operations compressed, declared",
                                           "operations compressed, declared"};
    struct screen screen;
    start(&screen, DEMO_MODEL);
    const struct mls_snapshot *snapshot = mls_live_snapshot(screen.live);
    uint64_t bytes = snapshot->model.file_bytes;
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        assert_true(mls_state_command(&screen.state, lines[i]));
        mls_wishes_fulfil(&screen.state, screen.live, NULL);
        run(&screen, 3);
        assert_string_equal(snapshot->model.precision, expected[i]);
        assert_true(snapshot->model.file_bytes < bytes);
    }
    assert_false(mls_state_command(&screen.state, "set compress=nonsense"));
    assert_false(mls_state_command(&screen.state, "set compress.nonsense=4-bit"));
    assert_true(mls_state_command(&screen.state, "set compress.linear_8_cast_fp16=none"));
    mls_wishes_fulfil(&screen.state, screen.live, NULL);
    run(&screen, 3);
    assert_string_equal(snapshot->model.precision, "declared");
    assert_int_equal(snapshot->model.file_bytes, bytes);
    stop(&screen);
}

/* The same facts, from the same profile, as `diagnose` puts together. */
static void the_findings_of_the_screen_know_what_was_measured(void **state)
{
    (void)state;
    struct screen screen;
    start(&screen, DEMO_MODEL);
    run(&screen, 40);
    const struct mls_snapshot *snapshot = mls_live_snapshot(screen.live);
    for (int i = 0; i < 200 && !snapshot->report->n_findings; i++)
        run(&screen, snapshot->predictions.runs + 1);
    struct mls_facts facts = mls_facts_read(snapshot->loaded, snapshot->placements, MLS_COMPUTE_UNITS_ALL);
    struct mls_report *plain;
    assert_int_equal(mls_diagnose(&facts, &plain, NULL), MLS_OK);
    assert_true(snapshot->report->n_rules_applied > plain->n_rules_applied + 10);
    for (size_t i = 0; i < plain->n_findings; i++) { /* what needs no measurement is the same */
        size_t k = 0;
        while (k < snapshot->report->n_findings && strcmp(snapshot->report->findings[k].id, plain->findings[i].id) != 0)
            k++;
        if (k == snapshot->report->n_findings)
            fail_msg("the screen lacks %s", plain->findings[i].id);
    }
    mls_report_free(plain);
    stop(&screen);
}

int main(void)
{
    setlocale(LC_CTYPE, "C.UTF-8");
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_failed_load_shows_its_findings),
        cmocka_unit_test(a_function_that_is_not_there_is_a_finding),
        cmocka_unit_test(every_view_draws_at_every_size),
        cmocka_unit_test(q_closes_what_is_on_top_and_quits_last),
        cmocka_unit_test(esc_never_quits),
        cmocka_unit_test(a_wrong_filter_leaves_the_last_good_one),
        cmocka_unit_test(commands_that_are_unknown_say_so),
        cmocka_unit_test(random_keys_do_no_harm),
        cmocka_unit_test(every_key_of_the_table_acts_in_every_view),
        cmocka_unit_test(a_setting_of_the_model_starts_it_anew),
        cmocka_unit_test(wrong_lines_of_a_configuration_warn_and_are_left_alone),
        cmocka_unit_test(what_is_saved_as_configuration_reads_back),
        cmocka_unit_test(tab_completes_the_command_line),
        cmocka_unit_test(clicks_do_what_their_keys_do),
        cmocka_unit_test(a_second_baseline_leaves_nothing_of_the_first),
        cmocka_unit_test(views_look_at_the_same_operation),
        cmocka_unit_test(the_model_runs_in_turns_with_itself_under_other_settings),
        cmocka_unit_test(weights_are_compressed_by_a_setting_and_plain_again),
        cmocka_unit_test(the_findings_of_the_screen_know_what_was_measured),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
