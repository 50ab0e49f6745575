-- Purpose: an order that is cancelled only to be placed anew, to another address.
-- Touches: tracker.orders.
-- Watch: whoever moves such an order to CANCELLED asks for its replacement in the same transaction.

alter table tracker.orders
  drop constraint cancel_cause_is_known,
  add constraint cancel_cause_is_known
    check (cancel_cause in ('refunded', 'disputed', 'voided', 'person', 'readdressed'));

comment on column tracker.orders.cancel_cause is 'refunded, disputed, voided, person, or readdressed: placed anew, to another address.';
