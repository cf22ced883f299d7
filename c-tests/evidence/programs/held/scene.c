/*
 * Textures, materials and meshes of a 3D scene. Materials share textures, meshes share materials,
 * the loader keeps what it has loaded, and the list for the GPU keeps meshes until a frame is
 * shown.
 */
#include <kref.h>
#include <stdio.h>
#include <stdlib.h>

enum { TEXTURES = 6, MESHES = 32, FRAMES = 40, IN_FLIGHT = 2, DRAWS = 16 };

struct texture {
    struct kref kref;
    int id, uses;
};

struct material {
    struct kref kref;
    struct texture *diffuse, *normal;
};

struct mesh {
    struct kref kref;
    struct material *material;
    int triangles;
};

struct frame {
    struct mesh *draws[DRAWS];
    int count;
};

static struct texture *loaded[TEXTURES];
static struct mesh *scene[MESHES];
static struct frame frames[IN_FLIGHT];
static int uploads, triangles, unloads;

static void texture_destroy(struct kref *kref)
{
    free(kref_entry(kref, struct texture, kref));
    unloads++;
}

static void material_destroy(struct kref *kref)
{
    struct material *material = kref_entry(kref, struct material, kref);

    kref_put(&material->diffuse->kref, texture_destroy); /* put: diffuse */
    if (material->normal)
        kref_put(&material->normal->kref, texture_destroy); /* put: normal */
    free(material);
}

static void mesh_destroy(struct kref *kref)
{
    struct mesh *mesh = kref_entry(kref, struct mesh, kref);

    kref_put(&mesh->material->kref, material_destroy); /* put: mesh's material */
    free(mesh);
}

/* Returns a reference for the caller, beside that of the loader. */
static struct texture *texture_load(int id)
{
    struct texture *texture = loaded[id];

    if (!texture) {
        texture = calloc(1, sizeof *texture);
        if (!texture)
            abort();
        kref_init(&texture->kref); /* get: loader */
        texture->id = id;
        loaded[id] = texture;
        uploads++;
    }
    kref_get(&texture->kref);
    return texture;
}

static void loader_trim(int id)
{
    struct texture *texture = loaded[id];

    if (!texture)
        return;
    loaded[id] = NULL;
    kref_put(&texture->kref, texture_destroy); /* put: loader */
}

static struct material *material_new(int id)
{
    struct material *material = calloc(1, sizeof *material);

    if (!material)
        abort();
    kref_init(&material->kref); /* get: author */
    material->diffuse = texture_load(id % TEXTURES); /* get: diffuse */
    if (id % 2)
        material->normal = texture_load((id + 3) % TEXTURES); /* get: normal */
    return material;
}

static void scene_add(int place, struct material *material)
{
    struct mesh *mesh = calloc(1, sizeof *mesh);

    if (!mesh)
        abort();
    kref_init(&mesh->kref); /* get: scene */
    kref_get(&material->kref); /* get: mesh's material */
    mesh->material = material;
    mesh->triangles = 10 + place;
    scene[place] = mesh;
}

static void scene_remove(int place)
{
    if (scene[place])
        kref_put(&scene[place]->kref, mesh_destroy); /* put: scene */
    scene[place] = NULL;
}

static void draw(struct frame *frame, struct mesh *mesh)
{
    if (frame->count == DRAWS)
        return;
    kref_get(&mesh->kref); /* get: gpu */
    frame->draws[frame->count++] = mesh;
}

static void shown(struct frame *frame)
{
    int i;

    for (i = 0; i < frame->count; i++) {
        triangles += frame->draws[i]->triangles;
        kref_put(&frame->draws[i]->kref, mesh_destroy); /* put: gpu */
    }
    frame->count = 0;
}

int main(void)
{
    int number, i;

    for (number = 0; number < FRAMES; number++) {
        struct frame *frame = &frames[number % IN_FLIGHT];

        shown(frame);
        if (number % 2 == 0) {
            struct material *material = material_new(number / 2);

            for (i = 0; i < 3; i++) {
                scene_remove((number * 2 + i) % MESHES);
                scene_add((number * 2 + i) % MESHES, material);
            }
            kref_put(&material->kref, material_destroy); /* put: author */
        }
        for (i = number % 3; i < MESHES; i += 3)
            if (scene[i])
                draw(frame, scene[i]);
        if (number % 7 == 6)
            loader_trim(number / 7);
    }
    for (i = 0; i < MESHES; i++)
        scene_remove(i);
    for (i = 0; i < IN_FLIGHT; i++)
        shown(&frames[i]);
    for (i = 0; i < TEXTURES; i++)
        loader_trim(i);
    printf("%d uploads, %d unloads, %d triangles\n", uploads, unloads, triangles);
    return 0;
}
