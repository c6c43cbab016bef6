#include "view/view.h"

#include <stdlib.h>

bool mls_view_open(struct mls_view *view, const struct mls_view_ops *ops, const struct mls_keymap *keymap)
{
    *view = (struct mls_view){.ops = ops, .keymap = keymap, .detail = ops->detail_open};
    view->list.sort_column = MLS_LISTING_RUN_ORDER;
    if (ops->private_size) {
        view->private = calloc(1, ops->private_size);
        if (!view->private)
            return false;
    }
    struct mls_rows rows = mls_view_rows(view);
    if (ops->sort_column != MLS_LISTING_RUN_ORDER && ops->columns)
        mls_listing_sort(&view->list, &rows, ops->sort_column);
    return true;
}

void mls_view_close(struct mls_view *view)
{
    if (view->ops && view->ops->close && view->private)
        view->ops->close(view);
    free(view->private);
    view->private = NULL;
    mls_listing_done(&view->list);
}

struct mls_rows mls_view_rows(const struct mls_view *view)
{
    const struct mls_view_ops *ops = view->ops;
    return (struct mls_rows){.columns = ops->columns,
                             .n_columns = ops->columns ? ops->n_columns : 0,
                             .n_rows = ops->columns && view->snapshot ? ops->rows(view) : 0,
                             .user = view,
                             .cell = ops->cell,
                             .parent = view->tree ? ops->parent : NULL};
}

bool mls_view_update(struct mls_view *view, const struct mls_snapshot *snapshot)
{
    view->snapshot = snapshot;
    if (view->ops->update && !view->ops->update(view))
        return false;
    if (!view->ops->columns)
        return true;
    struct mls_rows rows = mls_view_rows(view);
    return mls_listing_update(&view->list, &rows);
}
