/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One entry of OpenStack's clouds.yaml, read with libyaml.
 */
#include "obs-creds-file.h"

#include <string.h>

#include <openssl/crypto.h>
#include <yaml.h>

#include "obs-secret.h"

/* Value of @name in a mapping; NULL if it is none or has no such key. */
static yaml_node_t *lookup(yaml_document_t *document, yaml_node_t *node,
                           const gchar *name)
{
    if (!node || node->type != YAML_MAPPING_NODE) {
        return NULL;
    }
    for (yaml_node_pair_t *pair = node->data.mapping.pairs.start;
         pair < node->data.mapping.pairs.top; pair++) {
        yaml_node_t *key = yaml_document_get_node(document, pair->key);

        if (key && key->type == YAML_SCALAR_NODE &&
            key->data.scalar.length == strlen(name) &&
            memcmp(key->data.scalar.value, name, strlen(name)) == 0) {
            return yaml_document_get_node(document, pair->value);
        }
    }
    return NULL;
}

/* Text of a scalar; NULL if it is none, empty or holds a NUL. */
static const gchar *scalar(yaml_document_t *document, yaml_node_t *node,
                           const gchar *name)
{
    yaml_node_t *value = lookup(document, node, name);
    const gchar *text;

    if (!value || value->type != YAML_SCALAR_NODE) {
        return NULL;
    }
    text = (const gchar *)value->data.scalar.value;
    return *text && strlen(text) == value->data.scalar.length ? text : NULL;
}

static void take(gchar **member, const gchar *text)
{
    if (text) {
        g_free(*member);
        *member = g_strdup(text);
    }
}

static void fill_texts(yaml_document_t *document, yaml_node_t *entry,
                       yaml_node_t *auth, ObsLogin *login)
{
    const struct {
        const gchar *name;
        gchar **member;
    } members[] = {
        { "auth_url", &login->iam_endpoint },
        { "username", &login->user_name },
        { "user_id", &login->user_id },
        { "domain_name", &login->user_domain_name },
        { "domain_id", &login->user_domain_id },
        { "user_domain_name", &login->user_domain_name },
        { "user_domain_id", &login->user_domain_id },
        { "project_name", &login->project_name },
        { "project_id", &login->project_id },
        { "project_domain_name", &login->project_domain_name },
        { "project_domain_id", &login->project_domain_id },
    };

    for (guint i = 0; i < G_N_ELEMENTS(members); i++) {
        take(members[i].member, scalar(document, auth, members[i].name));
    }
    take(&login->region, scalar(document, entry, "region_name"));
    take(&login->cacert, scalar(document, entry, "cacert"));
}

static const gchar *first_scalar(yaml_document_t *document, yaml_node_t *node,
                                 const gchar *a, const gchar *b)
{
    const gchar *text = scalar(document, node, a);

    return text ? text : scalar(document, node, b);
}

static gboolean fill_secrets(yaml_document_t *document, yaml_node_t *auth,
                             const gchar *cloud, const gchar *path,
                             ObsLogin *login, GError **error)
{
    const gchar *ak = first_scalar(document, auth, "ak", "access_key");
    const gchar *sk = first_scalar(document, auth, "sk", "secret_key");

    if (ak && sk) {
        login->kind = OBS_LOGIN_KEYS;
        login->keys = obs_credentials_new(ak, sk,
                                          scalar(document, auth,
                                                 "security_token"), 0);
        return TRUE;
    }
    login->token = obs_secret_dup(scalar(document, auth, "token"), -1);
    login->password = obs_secret_dup(scalar(document, auth, "password"), -1);
    login->passcode = obs_secret_dup(scalar(document, auth, "passcode"), -1);
    if (login->token) {
        login->kind = OBS_LOGIN_TOKEN;
        return TRUE;
    }
    if (login->password && (login->user_name || login->user_id)) {
        login->kind = OBS_LOGIN_PASSWORD;
        return TRUE;
    }
    g_set_error(error, OBS_ERROR, OBS_ERROR_CREDENTIALS,
                "%s: cloud \"%s\" has neither ak and sk, nor a token, nor "
                "username and password", path, cloud);
    return FALSE;
}

/* libyaml frees without wiping. */
static void wipe_scalars(yaml_document_t *document)
{
    for (yaml_node_t *node = document->nodes.start;
         node < document->nodes.top; node++) {
        if (node->type == YAML_SCALAR_NODE) {
            OPENSSL_cleanse(node->data.scalar.value,
                            node->data.scalar.length);
        }
    }
}

gboolean obs_creds_parse_clouds(const gchar *text, const gchar *cloud,
                                const gchar *path, ObsLogin *login,
                                GError **error)
{
    yaml_parser_t parser;
    yaml_document_t document;
    yaml_node_t *entry;
    gboolean ok = FALSE;

    if (!yaml_parser_initialize(&parser)) {
        g_error("out of memory for a YAML parser");
    }
    yaml_parser_set_input_string(&parser, (const guchar *)text, strlen(text));
    if (!yaml_parser_load(&parser, &document)) {
        /* The problem is words of libyaml, never the file's own text. */
        g_set_error(error, OBS_ERROR, OBS_ERROR_CREDENTIALS,
                    "%s: line %lu: %s", path,
                    (gulong)parser.problem_mark.line + 1,
                    parser.problem ? parser.problem : "not valid YAML");
        yaml_parser_delete(&parser);
        return FALSE;
    }
    entry = lookup(&document,
                   lookup(&document, yaml_document_get_root_node(&document),
                          "clouds"), cloud);
    if (!entry) {
        g_set_error(error, OBS_ERROR, OBS_ERROR_CREDENTIALS,
                    "%s has no cloud \"%s\"", path, cloud);
    } else {
        yaml_node_t *auth = lookup(&document, entry, "auth");

        fill_texts(&document, entry, auth, login);
        ok = fill_secrets(&document, auth, cloud, path, login, error);
    }
    wipe_scalars(&document);
    yaml_document_delete(&document);
    yaml_parser_delete(&parser);
    return ok;
}
