//! The stock, by name: a line for each lot that an item lies in, and one for what lies in none, so that a column of
//! quantities adds up. An item of which there is nothing has one line.

use super::{
    Holds::{Bool, Cents, Code, Day, Instant, Text, Thousandths},
    kind,
};

kind! {
    name: "inventory",
    title: "Stock",
    formats: [Csv, Zip, Xlsx],
    filters: [],
    columns: [
        "id" "Identifiant" Code => "s.id",
        "name" "Article" Text => "s.name",
        "reference" "Référence" Text => "s.reference",
        "unit" "Unité" Text => "s.unit",
        "supplier" "Fournisseur" Text => "s.supplier",
        "location" "Emplacement" Text => "s.location",
        "price" "Prix unitaire HT" Cents => "s.price_cents",
        "threshold" "Seuil" Thousandths => "s.threshold",
        "margin" "Marge" Thousandths => "s.margin",
        "item_quantity" "Quantité de l'article" Thousandths => "s.quantity",
        "below_threshold" "Sous le seuil" Bool => "s.quantity < s.threshold",
        "lot" "Lot" Text => "l.number",
        "expires_on" "Péremption" Day => "l.expires_on",
        "quantity" "Quantité" Thousandths => "COALESCE(l.quantity, 0)",
        "updated_at" "Modifié le" Instant => "s.updated_at",
    ],
    from: "FROM inventory_stock s
           LEFT JOIN inventory_levels l ON l.tenant_id = s.tenant_id AND l.item_id = s.id AND l.quantity <> 0
           WHERE s.tenant_id = current_tenant()",
    order: "fold(s.name), s.id, l.expires_on, l.number, l.lot_id",
}
