-- Purpose: the finder looks up the open renewals of a page's items, among all that ever were.
-- Touches: tracker.renewals.

create index renewals_open_item on tracker.renewals (subscription_item_id) where closed_at is null;
